package template

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Keep gives a JSON object with those of its fields that the schema declares.
// A field whose own schema declares fields keeps only these, and so does each
// item of a list. What a schema does not name stays out, whatever it says of
// additional properties; a nil schema declares nothing.
func (s *Schema) Keep(document []byte) []byte {
	kept := map[string]any{}
	if s != nil {
		d := json.NewDecoder(bytes.NewReader(document))
		d.UseNumber()
		var doc map[string]any
		if d.Decode(&doc) == nil {
			kept = keepFields(doc, together(s.compiled))
		}
	}
	raw, _ := json.Marshal(kept) // it was decoded from JSON
	return raw
}

func keepFields(object map[string]any, schemas []*jsonschema.Schema) map[string]any {
	kept := map[string]any{}
	for name, value := range object {
		if declared := fieldsOf(schemas, name); declared != nil {
			kept[name] = keepIn(value, together(declared...))
		}
	}
	return kept
}

// keepIn keeps of a declared value what its schemas declare. One whose schemas
// say nothing of what is in it is declared as a whole.
func keepIn(value any, schemas []*jsonschema.Schema) any {
	if len(schemas) == 0 {
		return value
	}
	switch value := value.(type) {
	case map[string]any:
		if slices.ContainsFunc(schemas, namesFields) {
			return keepFields(value, schemas)
		}
		kept := map[string]any{}
		for name, inner := range value {
			kept[name] = keepIn(inner, together(othersOf(schemas)...))
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for i := range value {
			kept[i] = keepIn(value[i], together(itemsOf(schemas, i)...))
		}
		return kept
	}
	return value
}

// together are all schemas that some schemas are put together of: themselves,
// their parts, and what they refer to, which may be in a circle.
func together(schemas ...*jsonschema.Schema) (all []*jsonschema.Schema) {
	for len(schemas) > 0 {
		s := schemas[0]
		schemas = schemas[1:]
		if s == nil || slices.Contains(all, s) {
			continue
		}
		all = append(all, s)
		schemas = slices.Concat(schemas, s.AllOf, s.AnyOf, s.OneOf, []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.If, s.Then, s.Else})
		if s.DynamicRef != nil {
			schemas = append(schemas, s.DynamicRef.Ref)
		}
		for _, part := range s.DependentSchemas {
			schemas = append(schemas, part)
		}
		for _, part := range s.Dependencies {
			schemas = append(schemas, schemaIn(part))
		}
	}
	return all
}

// schemaIn is the schema in a keyword that has a schema or something else; nil
// for something else.
func schemaIn(keyword any) *jsonschema.Schema {
	s, _ := keyword.(*jsonschema.Schema)
	return s
}

func namesFields(s *jsonschema.Schema) bool {
	return s.Properties != nil || s.PatternProperties != nil
}

// fieldsOf gives the schemas of a field, nil when nothing declares it.
func fieldsOf(schemas []*jsonschema.Schema, name string) (found []*jsonschema.Schema) {
	for _, s := range schemas {
		if field, ok := s.Properties[name]; ok {
			found = append(found, field)
		}
		for pattern, field := range s.PatternProperties {
			if pattern.MatchString(name) {
				found = append(found, field)
			}
		}
	}
	return found
}

// othersOf gives the schemas of the fields of an object whose names are open.
func othersOf(schemas []*jsonschema.Schema) (found []*jsonschema.Schema) {
	for _, s := range schemas {
		found = append(found, schemaIn(s.AdditionalProperties), s.UnevaluatedProperties)
	}
	return found
}

// itemsOf gives the schemas of a list's item, as each draft spells them.
func itemsOf(schemas []*jsonschema.Schema, i int) (found []*jsonschema.Schema) {
	for _, s := range schemas {
		first, rest := s.PrefixItems, s.Items2020
		if items, ok := s.Items.([]*jsonschema.Schema); ok {
			first, rest = items, schemaIn(s.AdditionalItems)
		}
		if i < len(first) {
			rest = first[i]
		}
		found = append(found, rest, schemaIn(s.Items), s.Contains, s.UnevaluatedItems)
	}
	return found
}
