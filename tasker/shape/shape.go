// Package shape compares what Go types look like as JSON: whether what one step
// hands on can be read by the next, and whether a JSON Schema's values fit the
// type that is to hold them.
package shape

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// shape is what a Go type looks like as JSON.
type shape string

const (
	anyShape     shape = "any value" // decided by the value, or by code of the type
	boolShape    shape = "boolean"
	integerShape shape = "integer"
	numberShape  shape = "number"
	stringShape  shape = "string"
	arrayShape   shape = "array"
	objectShape  shape = "object"
)

var shapes = map[reflect.Kind]shape{
	reflect.Bool: boolShape, reflect.String: stringShape,
	reflect.Float32: numberShape, reflect.Float64: numberShape,
	reflect.Int: integerShape, reflect.Int8: integerShape, reflect.Int16: integerShape, reflect.Int32: integerShape, reflect.Int64: integerShape,
	reflect.Uint: integerShape, reflect.Uint8: integerShape, reflect.Uint16: integerShape, reflect.Uint32: integerShape, reflect.Uint64: integerShape,
	reflect.Slice: arrayShape, reflect.Array: arrayShape, reflect.Struct: objectShape, reflect.Map: objectShape,
}

func shapeOf(t reflect.Type) shape {
	if hasOwnJSON(t) {
		return anyShape
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return stringShape // base64
	}
	if s, ok := shapes[t.Kind()]; ok {
		return s
	}
	return anyShape
}

// hasOwnJSON says that code of the type decides its JSON.
func hasOwnJSON(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, own := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if p.Implements(own) {
			return true
		}
	}
	return false
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// Misfit says why JSON made from one type cannot fill another, or "". Every
// field that is to be filled must be there: one that is not can only be a
// mistake in its name.
func Misfit(from, to reflect.Type) string {
	return fitting{}.check(from, to, "")
}

type fitting map[[2]reflect.Type]bool // pairs that are being compared: types may contain themselves

func (seen fitting) check(from, to reflect.Type, path string) string {
	from, to = deref(from), deref(to)
	if from == to || seen[[2]reflect.Type{from, to}] {
		return ""
	}
	seen[[2]reflect.Type{from, to}] = true
	a, b := shapeOf(from), shapeOf(to)
	switch {
	case a == anyShape || b == anyShape:
		return ""
	case a == integerShape && b == numberShape:
		return ""
	case a != b:
		return at(path, fmt.Sprintf("%s where %s is expected", a, b))
	case a == arrayShape:
		return seen.check(from.Elem(), to.Elem(), path+"[]")
	case a != objectShape || from.Kind() == reflect.Map || to.Kind() == reflect.Map:
		return ""
	}
	have := Fields(from)
	for _, name := range slices.Sorted(maps.Keys(Fields(to))) {
		field, ok := have[name]
		if !ok {
			return at(path, fmt.Sprintf("there is no %q in %s%s", name, from, template.Suggest(name, slices.Collect(maps.Keys(have)))))
		}
		if misfit := seen.check(field, Fields(to)[name], path+"."+name); misfit != "" {
			return misfit
		}
	}
	return ""
}

// SchemaMisfit says why a value that a JSON Schema allows cannot fill a type,
// or "". It reads the keywords type, properties and items, and lets pass what
// it cannot judge.
func SchemaMisfit(schema map[string]any, to reflect.Type) string {
	return schemaFits(schema, to, "")
}

func schemaFits(schema map[string]any, to reflect.Type, path string) string {
	to = deref(to)
	have, b := shapeOfSchema(schema), shapeOf(to)
	switch {
	case have == anyShape || b == anyShape:
		return ""
	case have == integerShape && b == numberShape:
		return ""
	case have != b:
		return at(path, fmt.Sprintf("%s where %s is expected", have, b))
	case have == arrayShape:
		if items, ok := schema["items"].(map[string]any); ok {
			return schemaFits(items, to.Elem(), path+"[]")
		}
		return ""
	}
	properties, ok := schema["properties"].(map[string]any)
	if have != objectShape || !ok || to.Kind() != reflect.Struct {
		return ""
	}
	fields := Fields(to)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		property, ok := properties[name].(map[string]any)
		if !ok {
			if _, anything := properties[name].(bool); anything {
				continue
			}
			return at(path, fmt.Sprintf("it declares no %q%s", name, template.Suggest(name, slices.Collect(maps.Keys(properties)))))
		}
		if misfit := schemaFits(property, fields[name], path+"."+name); misfit != "" {
			return misfit
		}
	}
	return ""
}

func shapeOfSchema(schema map[string]any) shape {
	switch s, _ := schema["type"].(string); shape(s) {
	case boolShape, integerShape, numberShape, stringShape, arrayShape, objectShape:
		return shape(s)
	default:
		return anyShape
	}
}

func at(path, misfit string) string {
	if path = strings.TrimPrefix(path, "."); path == "" {
		return misfit
	}
	return path + ": " + misfit
}

// Fields gives the fields of a struct by their names in JSON.
func Fields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" && options == "" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		typ := f.Type
		if slices.Contains(strings.Split(options, ","), "string") {
			typ = reflect.TypeFor[string]()
		}
		if _, hidden := fields[name]; !hidden {
			fields[name] = typ
		}
	}
	return fields
}
