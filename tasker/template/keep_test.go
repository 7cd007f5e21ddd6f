package template

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyWhatASchemaDeclaresLeavesHoweverItIsPutTogether(t *testing.T) {
	t.Parallel()
	const open = `{"open": 1, "secret": "S"}`
	for _, c := range []struct{ name, schema, document, want string }{
		{"a field", `{"properties": {"open": {}}}`, open, `{"open": 1}`},
		{"additional properties", `{"properties": {"open": {}}, "additionalProperties": {"type": "string"}}`, open, `{"open": 1}`},
		{"a pattern", `{"patternProperties": {"^o": {}}}`, open, `{"open": 1}`},
		{"a part", `{"allOf": [{"properties": {"open": {}}}]}`, open, `{"open": 1}`},
		{"a branch", `{"if": {}, "then": {"properties": {"open": {}}}}`, open, `{"open": 1}`},
		{"what another field brings", `{"dependentSchemas": {"open": {"properties": {"open": {}}}}}`, open, `{"open": 1}`},
		{"no field at all", `{"type": "object"}`, open, `{}`},
		{"a field whose fields are not declared", `{"properties": {"a": {"type": "object"}}}`, `{"a": ` + open + `}`, `{"a": ` + open + `}`},
		{"a field within", `{"properties": {"a": {"properties": {"open": {}}}}}`, `{"a": ` + open + `}`, `{"a": {"open": 1}}`},
		{"one behind a reference", `{"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"properties": {"open": {}}}}}`, `{"a": ` + open + `}`, `{"a": {"open": 1}}`},
		{"one behind an anchor", `{"properties": {"a": {"$ref": "#a"}}, "$defs": {"a": {"$anchor": "a", "properties": {"open": {}}}}}`, `{"a": ` + open + `}`, `{"a": {"open": 1}}`},
		{"one behind a reference to a branch", `{"allOf": [{"properties": {"a": {"properties": {"open": {}}}}}], "properties": {"b": {"$ref": "#/allOf/0/properties/a"}}}`, `{"b": ` + open + `}`, `{"b": {"open": 1}}`},
		{"a field within itself", `{"properties": {"open": {}, "a": {"$ref": "#"}}}`, `{"a": {"a": ` + open + `, "secret": "S"}}`, `{"a": {"a": {"open": 1}}}`},
		{"fields of any name", `{"properties": {"a": {"additionalProperties": {"properties": {"open": {}}}}}}`, `{"a": {"x": ` + open + `}}`, `{"a": {"x": {"open": 1}}}`},
		{"a list", `{"properties": {"a": {"items": {"properties": {"open": {}}}}}}`, `{"a": [` + open + `]}`, `{"a": [{"open": 1}]}`},
		{"a list behind a reference", `{"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"items": {"properties": {"open": {}}}}}}`, `{"a": [` + open + `]}`, `{"a": [{"open": 1}]}`},
		{"a list in a part", `{"properties": {"a": {"allOf": [{"items": {"properties": {"open": {}}}}]}}}`, `{"a": [` + open + `]}`, `{"a": [{"open": 1}]}`},
		{"a list of lists", `{"properties": {"a": {"items": {"items": {"properties": {"open": {}}}}}}}`, `{"a": [[` + open + `]]}`, `{"a": [[{"open": 1}]]}`},
		{"the first of a list", `{"properties": {"a": {"prefixItems": [{"properties": {"open": {}}}], "items": {"properties": {}}}}}`, `{"a": [` + open + `, ` + open + `]}`, `{"a": [{"open": 1}, {}]}`},
		{"the first of a list, of draft 7", `{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"items": [{"properties": {"open": {}}}], "additionalItems": {"properties": {}}}}}`, `{"a": [` + open + `, ` + open + `]}`, `{"a": [{"open": 1}, {}]}`},
		{"a large number", `{"properties": {"open": {}}}`, `{"open": 12345678901234567890.12}`, `{"open": 12345678901234567890.12}`},
	} {
		var body map[string]any
		if err := json.Unmarshal([]byte(c.schema), &body); err != nil {
			t.Fatal(err)
		}
		schema, err := compileSchema(body)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, string(schema.Keep([]byte(c.document))), sameJSON); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	var none *Schema
	if kept := none.Keep([]byte(open)); string(kept) != "{}" {
		t.Errorf("no schema has %s leave", kept)
	}
}

// sameJSON compares documents by what they say.
var sameJSON = cmp.Transformer("document", func(text string) (document map[string]json.RawMessage) {
	if json.Unmarshal([]byte(text), &document) != nil {
		return nil
	}
	for name, value := range document {
		document[name], _ = json.Marshal(value)
	}
	return document
})
