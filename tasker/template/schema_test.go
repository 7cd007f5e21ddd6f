package template

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestASchemaNamesThePathOfEachViolation(t *testing.T) {
	t.Parallel()
	template := mustParse(t, fmt.Sprintf(oneStep, `input_schema: {
  type: object, required: [email, items], properties: {
    email: {type: string, format: email},
    items: {type: array, minItems: 1, items: {type: object, required: [id], properties: {id: {type: integer, minimum: 1}}}},
    "a/b": {enum: [x, y]}}},`, ""))
	tests := []struct {
		document string
		paths    []string
	}{
		{`{"email": "a@example.com", "items": [{"id": 1}]}`, nil},
		{`{}`, []string{"/email", "/items"}},
		{`{"email": "nobody", "items": []}`, []string{"/email", "/items"}},
		{`{"email": "a@example.com", "items": [{"id": 1}, {}, {"id": 0}, {"id": "x"}, {"id": 1.5}]}`, []string{"/items/1/id", "/items/2/id", "/items/3/id", "/items/4/id"}},
		{`{"email": "a@example.com", "items": [{"id": 12345678901234567890}], "a/b": "z"}`, []string{"/a~1b"}},
		{`[]`, []string{""}},
		{`nonsense`, []string{""}},
	}
	for _, tt := range tests {
		var paths []string
		for _, v := range template.InputSchema.Check([]byte(tt.document)) {
			paths = append(paths, v.Path)
			if v.Message == "" {
				t.Errorf("%s: no message at %s", tt.document, v.Path)
			}
		}
		if diff := cmp.Diff(tt.paths, paths); diff != "" {
			t.Errorf("%s:\n%s", tt.document, diff)
		}
	}
}

func TestDraft7AndDraft2020AreBothUnderstood(t *testing.T) {
	t.Parallel()
	for draft, source := range map[string]string{
		"draft 7":       `{$schema: "http://json-schema.org/draft-07/schema#", definitions: {n: {type: integer}}, properties: {a: {$ref: "#/definitions/n"}, l: {items: [{type: string}], additionalItems: false}}}`,
		"draft 2020-12": `{$schema: "https://json-schema.org/draft/2020-12/schema", $defs: {n: {type: integer}}, properties: {a: {$ref: "#/$defs/n"}, l: {prefixItems: [{type: string}], items: false}}}`,
	} {
		schema := mustParse(t, fmt.Sprintf(oneStep, "input_schema: "+source+",", "")).InputSchema
		if v := schema.Check([]byte(`{"a": 1, "l": ["x"]}`)); len(v) != 0 {
			t.Errorf("%s refuses what fits: %v", draft, v)
		}
		if v := schema.Check([]byte(`{"a": "x", "l": ["x", "y"]}`)); len(v) != 2 {
			t.Errorf("%s finds %v, want two violations", draft, v)
		}
	}
}
