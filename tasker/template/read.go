package template

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/tasker-systems/tasker-go/tasker/payload"
)

// reader turns values into a template and notes everything wrong on the way.
type reader struct {
	file     string
	problems Problems
	steps    []stepLines
	names    []string // of the steps
	compared int      // letters, for suggestions
	changed  int      // steps, by environments
}

// maxCompared bounds the work that goes into suggestions: a file with thousands
// of misspelt names gets some for the first of them.
const maxCompared = 10_000_000

func (r *reader) suggest(word string, candidates []string) string {
	for i := 0; i < len(candidates) && r.compared <= maxCompared; i++ {
		r.compared += len(word) * len(candidates[i])
	}
	if r.compared > maxCompared {
		return ""
	}
	return Suggest(word, candidates)
}

// stepLines says where a step and each of its dependencies stand.
type stepLines struct {
	line         int
	dependencies []int
}

// key is one key that a mapping may have.
type key struct {
	name     string
	aliases  []string
	required bool
	read     func(v value, path string)
}

func (r *reader) say(line int, path, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.file, Line: line, Key: path, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) said(path string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Key == path })
}

// mapping says whether a value is one, and that it must be.
func (r *reader) mapping(v value, path string) bool {
	if v.kind != yaml.MappingNode {
		r.say(v.line, path, "must be a mapping of keys, not %s", v.describe())
		return false
	}
	return true
}

// object reads a mapping by a table of its keys. Any other key is a problem.
func (r *reader) object(v value, path string, keys []key) {
	if !r.mapping(v, path) {
		return
	}
	var names []string
	given := map[string]string{}
	for _, k := range keys {
		names = append(names, k.name)
	}
	for _, e := range v.entries {
		name := strings.TrimPrefix(e.key, ":")
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name || slices.Contains(k.aliases, name) })
		if i < 0 {
			r.say(e.line, join(path, name), "unknown key%s", r.suggestKey(name, names))
			continue
		}
		k := keys[i]
		if other, twice := given[k.name]; twice {
			r.say(e.line, join(path, name), "is given twice, before as %s", other)
			continue
		}
		given[k.name] = e.key
		k.read(e.value, join(path, name))
	}
	for _, k := range keys {
		if _, ok := given[k.name]; k.required && !ok {
			r.say(v.line, join(path, k.name), "is missing")
		}
	}
}

// suggestKey names the key that was meant, or the nearest and all there are.
func (r *reader) suggestKey(name string, names []string) string {
	if s := r.suggest(name, names); s != "" || len(names) == 0 || r.compared > maxCompared {
		return s
	}
	return fmt.Sprintf("; the nearest is %q of %s", nearest(name, names), strings.Join(names, ", "))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (v *value) describe() string {
	switch {
	case v.kind == yaml.MappingNode:
		return "a mapping"
	case v.kind == yaml.SequenceNode:
		return "a list"
	case v.tag == "!!null":
		return "empty"
	case v.tag == "!!str":
		return strconv.Quote(v.text)
	default:
		return v.text
	}
}

func (r *reader) list(each func(v value, path string)) func(value, string) {
	return func(v value, path string) {
		if v.kind != yaml.SequenceNode {
			r.say(v.line, path, "must be a list, not %s", v.describe())
			return
		}
		for i, item := range v.items {
			each(item, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

func (r *reader) text(target *string) func(value, string) {
	return func(v value, path string) {
		if v.kind != yaml.ScalarNode || v.tag == "!!null" || v.text == "" {
			r.say(v.line, path, "must be a text, not %s", v.describe())
			return
		}
		*target = v.text
	}
}

// word reads a name: letters, digits and underscores, not a digit first.
func (r *reader) word(target *string, limit int) func(value, string) {
	return func(v value, path string) {
		r.text(target)(v, path)
		if *target != "" && (len(*target) > limit || !wordPattern.MatchString(*target)) {
			r.say(v.line, path, "must be at most %d letters, digits and underscores, and not begin with a digit: %q", limit, *target)
		}
	}
}

func (r *reader) version(target *string) func(value, string) {
	return func(v value, path string) {
		r.text(target)(v, path)
		if *target != "" && !versionPattern.MatchString(*target) {
			r.say(v.line, path, "must be of the form major.minor.patch, such as 1.0.0, not %s", *target)
		}
	}
}

func (r *reader) boolean(target *bool) func(value, string) {
	return func(v value, path string) {
		if v.tag != "!!bool" || v.kind != yaml.ScalarNode {
			r.say(v.line, path, "must be true or false, not %s", v.describe())
			return
		}
		*target = strings.EqualFold(v.text, "true")
	}
}

func (r *reader) integer(target *int, least, most int) func(value, string) {
	return func(v value, path string) {
		n, err := strconv.Atoi(strings.ReplaceAll(v.text, "_", ""))
		if v.kind != yaml.ScalarNode || v.tag != "!!int" || err != nil || n < least || n > most {
			r.say(v.line, path, "must be a whole number from %d to %d, not %s", least, most, v.describe())
			return
		}
		*target = n
	}
}

func (r *reader) number(target *float64, least, most float64) func(value, string) {
	return func(v value, path string) {
		f, ok := v.number()
		if !ok || f < least || f > most {
			r.say(v.line, path, "must be a number from %v to %v, not %s", least, most, v.describe())
			return
		}
		*target = f
	}
}

func (v *value) number() (float64, bool) {
	f, err := strconv.ParseFloat(strings.ReplaceAll(v.text, "_", ""), 64)
	return f, v.kind == yaml.ScalarNode && (v.tag == "!!int" || v.tag == "!!float") && err == nil && !math.IsNaN(f)
}

// duration reads a number of units, at most so many, and more than none
// unless zero is allowed.
func (r *reader) duration(target *time.Duration, unit time.Duration, most float64, zero bool) func(value, string) {
	return func(v value, path string) {
		f, ok := v.number()
		switch d := time.Duration(f * float64(unit)); {
		case !ok || f > most || f < 0:
			r.say(v.line, path, "must be a number up to %v, not %s", most, v.describe())
		case d == 0 && !zero: // or less than a nanosecond
			r.say(v.line, path, "must be more than 0; leave the key out for no limit")
		default:
			*target = d
		}
	}
}

// choice reads one of a few words, with or without a leading colon.
func choice[T ~string](r *reader, target *T, words ...T) func(value, string) {
	return func(v value, path string) {
		word := T(strings.TrimPrefix(v.text, ":"))
		if v.kind == yaml.ScalarNode && slices.Contains(words, word) {
			*target = word
			return
		}
		all := make([]string, len(words))
		for i, w := range words {
			all[i] = string(w)
		}
		r.say(v.line, path, "must be one of %s, not %s%s", strings.Join(all, ", "), v.describe(), r.suggest(string(word), all))
	}
}

// free reads a mapping whose keys are nobody's business here.
func (r *reader) free(target *map[string]any) func(value, string) {
	return func(v value, path string) {
		if !r.mapping(v, path) {
			return
		}
		r.freeKeys(v, path)
		*target, _ = v.plain(false).(map[string]any)
		if _, err := payload.Encode(*target); err != nil {
			r.say(v.line, path, "cannot be written as JSON: %v", err)
		}
	}
}

// freeKeys finds keys that are given twice, at any depth.
func (r *reader) freeKeys(v value, path string) {
	seen := map[string]bool{}
	for _, e := range v.entries {
		name := strings.TrimPrefix(e.key, ":")
		if seen[name] {
			r.say(e.line, join(path, name), "is given twice")
		}
		seen[name] = true
		r.freeKeys(e.value, join(path, name))
	}
	for i, item := range v.items {
		r.freeKeys(item, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (r *reader) schema(target **Schema) func(value, string) {
	return func(v value, path string) {
		body, ok := v.plain(true).(map[string]any)
		if !ok {
			r.say(v.line, path, "must be a JSON Schema, not %s", v.describe())
			return
		}
		compiled, err := compileSchema(body)
		if err != nil {
			r.say(v.line, path, "is not a JSON Schema: %v", err)
			return
		}
		*target = compiled
	}
}
