package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Schema is a compiled JSON Schema: of draft 2020-12, or of draft 7 and the
// others where "$schema" says so. Formats are enforced.
type Schema struct {
	compiled *jsonschema.Schema
	body     map[string]any
}

// Violation is one place where a document breaks a schema.
type Violation struct {
	Path    string `json:"path"` // a JSON pointer (RFC 6901): /cart_items/0/quantity; "" is the whole document
	Message string `json:"message"`
}

// noLoader refuses every reference that leaves the schema: a template must
// not make a server fetch things.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not part of the template; only references that begin with # are followed", url)
}

func compileSchema(body map[string]any) (*Schema, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	const name = "template:///schema.json"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(noLoader{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(name)
	var broken *jsonschema.SchemaValidationError
	var why *jsonschema.ValidationError
	switch {
	case errors.As(err, &broken) && errors.As(broken.Err, &why):
		v := leaves(why, nil)[0]
		return nil, fmt.Errorf("%s: %s", v.Path, v.Message)
	case err != nil:
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	normal, _ := doc.(map[string]any)
	return &Schema{compiled: compiled, body: normal}, nil
}

// Check lists every place where a document breaks the schema, sorted by path;
// none when it keeps it, or when there is no schema.
func (s *Schema) Check(document []byte) []Violation {
	if s == nil {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return []Violation{{Message: err.Error()}}
	}
	var broken *jsonschema.ValidationError
	if err := s.compiled.Validate(doc); !errors.As(err, &broken) {
		return nil
	}
	violations := slices.Compact(leaves(broken, nil))
	slices.SortStableFunc(violations, func(a, b Violation) int {
		return strings.Compare(a.Path+"\x00"+a.Message, b.Path+"\x00"+b.Message)
	})
	return slices.Compact(violations)
}

// leaves turns the ends of a tree of errors into violations. A property that
// is missing is named by the path that it should have.
func leaves(e *jsonschema.ValidationError, found []Violation) []Violation {
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			found = leaves(cause, found)
		}
		return found
	}
	path := jsonPointer(e.InstanceLocation)
	if missing, ok := e.ErrorKind.(*kind.Required); ok {
		for _, name := range missing.Missing {
			found = append(found, Violation{path + jsonPointer([]string{name}), "is required"})
		}
		return found
	}
	message := "does not fit the schema"
	if out := e.BasicOutput(); out.Error != nil {
		message = out.Error.String()
	} else if len(out.Errors) > 0 && out.Errors[0].Error != nil {
		message = out.Errors[0].Error.String()
	}
	return append(found, Violation{path, message})
}

func jsonPointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}

// Property finds the schema of a top-level property. A schema that lists no
// properties, or builds them of parts, is taken to declare everything.
func (s *Schema) Property(name string) (property map[string]any, ok bool) {
	properties, listed := s.body["properties"].(map[string]any)
	if !listed {
		return nil, true
	}
	value, ok := properties[name]
	if !ok {
		for _, part := range []string{"$ref", "allOf", "anyOf", "oneOf", "patternProperties", "if"} {
			if _, composed := s.body[part]; composed {
				return nil, true
			}
		}
	}
	property, _ = value.(map[string]any)
	return property, ok
}

// Names lists the top-level properties that the schema declares.
func (s *Schema) Names() []string {
	properties, _ := s.body["properties"].(map[string]any)
	return slices.Collect(maps.Keys(properties))
}

// Keep gives a JSON object with those of its fields that the schema declares.
// A field whose own schema declares fields keeps only these. What a schema
// does not name stays out, whatever it says of additional properties; a nil
// schema declares nothing.
func (s *Schema) Keep(document []byte) []byte {
	kept := map[string]any{}
	if s != nil {
		d := json.NewDecoder(bytes.NewReader(document))
		d.UseNumber()
		var doc map[string]any
		if d.Decode(&doc) == nil {
			kept = s.keepFields(doc, s.body)
		}
	}
	raw, _ := json.Marshal(kept) // it was decoded from JSON
	return raw
}

func (s *Schema) keepFields(object map[string]any, schema map[string]any) map[string]any {
	kept := map[string]any{}
	for name, value := range object {
		if fields := s.declared(schema, name, 0); fields != nil {
			kept[name] = s.keepIn(value, fields)
		}
	}
	return kept
}

// keepIn keeps of a declared value what its schemas declare.
func (s *Schema) keepIn(value any, schemas []map[string]any) any {
	merged := map[string]any{"allOf": asList(schemas)}
	switch value := value.(type) {
	case map[string]any:
		if s.declaresFields(merged, 0) {
			return s.keepFields(value, merged)
		}
	case []any:
		var items []map[string]any
		for _, schema := range schemas {
			if item, ok := schema["items"].(map[string]any); ok {
				items = append(items, item)
			}
		}
		if len(items) > 0 {
			kept := make([]any, len(value))
			for i := range value {
				kept[i] = s.keepIn(value[i], items)
			}
			return kept
		}
	}
	return value
}

func asList(schemas []map[string]any) []any {
	list := make([]any, len(schemas))
	for i := range schemas {
		list[i] = schemas[i]
	}
	return list
}

// deepest bounds how far references are followed: they may go in a circle.
const deepest = 32

// declared gives the schemas of a field, nil when nothing declares it.
func (s *Schema) declared(schema map[string]any, name string, depth int) (found []map[string]any) {
	if depth > deepest {
		return nil
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		if field, ok := properties[name]; ok {
			sub, _ := field.(map[string]any) // true and false are schemas too
			found = append(found, sub)
		}
	}
	if patterns, ok := schema["patternProperties"].(map[string]any); ok {
		for pattern, field := range patterns {
			if matches, err := regexp.MatchString(pattern, name); err == nil && matches {
				sub, _ := field.(map[string]any)
				found = append(found, sub)
			}
		}
	}
	for _, part := range s.parts(schema) {
		found = append(found, s.declared(part, name, depth+1)...)
	}
	return found
}

func (s *Schema) declaresFields(schema map[string]any, depth int) bool {
	if depth > deepest {
		return false
	}
	if schema["properties"] != nil || schema["patternProperties"] != nil {
		return true
	}
	return slices.ContainsFunc(s.parts(schema), func(part map[string]any) bool { return s.declaresFields(part, depth+1) })
}

// parts are the schemas that a schema is put together of.
func (s *Schema) parts(schema map[string]any) (parts []map[string]any) {
	add := func(v any) {
		if part, ok := v.(map[string]any); ok {
			parts = append(parts, part)
		}
	}
	for _, name := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := schema[name].([]any)
		for _, part := range list {
			add(part)
		}
	}
	for _, name := range []string{"if", "then", "else"} {
		add(schema[name])
	}
	if ref, ok := schema["$ref"].(string); ok {
		add(s.find(ref))
	}
	return parts
}

// find looks up a reference within the schema: # or #/a/b.
func (s *Schema) find(ref string) any {
	var at any = s.body
	path, inside := strings.CutPrefix(ref, "#")
	if !inside {
		return nil
	}
	for _, name := range strings.Split(path, "/")[1:] {
		object, _ := at.(map[string]any)
		at = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return at
}
