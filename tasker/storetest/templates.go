package storetest

import (
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tasker-systems/tasker-go/tasker"
)

var templating = chapter{"templates", []promise{
	{"a text is kept once, as it was given", textIsKept},
	{"another text under the same version is kept beside the first, and named", textBeside},
	{"where none may stand beside another nothing is saved", textRefused},
	{"texts are in the order of namespace, name and version, the oldest first", textsInOrder},
	{"many that save at once keep each text once", textsAtOnce},
}}

func (w *world) saved() []tasker.StoredTemplate {
	w.Helper()
	all, err := w.Templates(w.Context())
	if err != nil {
		w.Fatalf("templates: %v", err)
	}
	return all
}

// saves saves texts and wants those named that differ from others.
func (w *world) saves(beside bool, differing []tasker.StoredTemplate, texts ...tasker.StoredTemplate) {
	w.Helper()
	got, err := w.SaveTemplates(w.Context(), texts, beside)
	if err != nil {
		w.Fatalf("save templates: %v", err)
	}
	if diff := cmp.Diff(differing, got, cmpopts.EquateEmpty()); diff != "" {
		w.Errorf("other templates are said to differ:\n%s", diff)
	}
}

func (w *world) hasTexts(want ...tasker.StoredTemplate) {
	w.Helper()
	if diff := cmp.Diff(want, w.saved()); diff != "" {
		w.Errorf("other texts are kept:\n%s", diff)
	}
}

func textIsKept(w *world) {
	odd := text("shop", "odd", "1.0.0", "# \"quotes\", 'more', \\u0000, $1 $$ %s\r\n\ttab: \u2028 é 😀\n")
	w.saves(false, nil, odd)
	for range 2 {
		w.saves(false, nil, w.texts[0], odd)
		w.saves(true, nil, odd, w.texts[0])
	}
	w.hasTexts(odd, w.texts[0])
}

func textBeside(w *world) {
	second, other := text("shop", "order", "1.0.0", "second"), text("shop", "other", "1.0.0", "")
	w.saves(true, []tasker.StoredTemplate{second}, other, second)
	w.hasTexts(w.texts[0], second, other)
	w.submit(of(second))
	w.submit()
	w.saves(true, nil, second)
	w.hasTexts(w.texts[0], second, other)
}

func textRefused(w *world) {
	second, other := text("shop", "order", "1.0.0", "second"), text("shop", "other", "1.0.0", "")
	w.saves(false, []tasker.StoredTemplate{second}, other, second)
	w.hasTexts(w.texts[0])
	w.saves(false, nil, other, text("shop", "order", "2.0.0", "second"))
	w.hasTexts(w.texts[0], text("shop", "order", "2.0.0", "second"), other)
}

func textsInOrder(w *world) {
	// By bytes: a store that sorts as a language does would put ab before a_c.
	want := []tasker.StoredTemplate{
		text("a_c", "z", "1.0.0", ""), text("ab", "a", "1.0.0", "z"), text("ab", "a", "1.0.0", "a"),
		text("ab", "a", "1.0.1", ""), text("ab", "b", "0.1.0", ""), w.texts[0],
	}
	for _, i := range []int{4, 1, 0, 3, 2} {
		w.save(want[i])
	}
	w.hasTexts(want...)
}

func textsAtOnce(w *world) {
	one, two := text("shop", "order", "2.0.0", ""), text("shop", "order", "3.0.0", "")
	together(12, func(i int) {
		texts := []tasker.StoredTemplate{one, two}
		if i%2 == 0 {
			texts[0], texts[1] = two, one
		}
		w.surely(func() error {
			differing, err := w.SaveTemplates(w.Context(), texts, i%3 == 0)
			if err == nil && len(differing) > 0 {
				w.Errorf("equal texts are said to differ")
			}
			return err
		})
	})
	w.hasTexts(w.texts[0], one, two)
}
