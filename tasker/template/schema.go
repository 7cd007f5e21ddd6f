package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
