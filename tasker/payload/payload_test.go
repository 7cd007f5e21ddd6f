package payload

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	open64  = `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[`
	close64 = `]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`
)

// payloads are documents and what becomes of them; an empty fault is a good
// document.
var payloads = []struct{ name, doc, path, fault string }{
	{"an object is kept", `{"a":1}`, "", ""},
	{"null is kept", `null`, "", ""},
	{"a bare string is kept", `"x"`, "", ""},
	{"a bare number is kept", `-0.5e+3`, "", ""},
	{"blanks around everything are kept", " {\t\"a\" :\r\n [ 1 , true , false , null ] } \n", "", ""},
	{"empty containers are kept", `{"a":[],"b":{}, "c":[ ],"d":{ }}`, "", ""},
	{"every escape is kept", `"\"\\\/\b\f\n\r\t\u00e9"`, "", ""},
	{"text beyond ASCII is kept", `{"größe":"日本語 🙂"}`, "", ""},
	{"a surrogate pair is kept", `"\ud83d\ude42"`, "", ""},
	{"the replacement character is kept", `["�","\ufffd"]`, "", ""},
	{"an escaped backslash before u0000 is kept", `"\\u0000"`, "", ""},
	{"an integer beyond 2^53 is kept", `9007199254740993`, "", ""},
	{"a number of 400 digits is kept", strings.Repeat("7", 400), "", ""},
	{"nesting to the limit is kept", open64 + close64, "", ""},
	{"the largest float is kept", `1.7976931348623157e308`, "", ""},

	{"an empty document is refused", ``, "", "document is empty"},
	{"blanks alone are refused", " \n", "", "document is empty"},
	{"a word is refused", `yes`, "", `unexpected 'y' at byte 1`},
	{"half a literal is refused", `{"a":tru}`, "/a", `unexpected 't'`},
	{"a second document is refused", `{} {}`, "", `unexpected '{' at byte 4`},
	{"an open object is refused", `{"a":1`, "", "ends too early"},
	{"an open array is refused", `{"a":[1`, "/a", "ends too early"},
	{"an open string is refused", `["abc`, "/0", "ends too early"},
	{"an open key is refused", `{"abc`, "", "ends too early"},
	{"an escape cut off is refused", `"\`, "", "ends too early"},
	{"a comma at the end of an object is refused", `{"a":1,}`, "", `unexpected '}'`},
	{"a comma at the end of an array is refused", `[1,]`, "/1", `unexpected ']'`},
	{"a missing colon is refused", `{"a" 1}`, "", `unexpected '1'`},
	{"a missing comma is refused", `[1 2]`, "", `unexpected '2'`},
	{"a key without quotes is refused", `{a:1}`, "", `unexpected 'a'`},
	{"single quotes are refused", `{'a':1}`, "", `unexpected '\''`},
	{"a comment is refused", `[1/*one*/]`, "", `unexpected '/'`},
	{"a byte order mark is refused", "\ufeff{}", "", `unexpected '\ufeff'`},
	{"a raw line break in a string is refused", "[\"a\nb\"]", "/0", `unexpected '\n'`},
	{"an unknown escape is refused", `["\x41"]`, "/0", `unexpected 'x'`},
	{"an escape with too few digits is refused", `["\u12"]`, "/0", "hexadecimal"},
	{"a leading zero is refused", `{"n":01}`, "/n", `unexpected '1'`},
	{"a plus sign is refused", `{"n":+1}`, "/n", `unexpected '+'`},
	{"a bare minus is refused", `{"n":-}`, "/n", `unexpected '}'`},
	{"a point without digits is refused", `{"n":1.}`, "/n", `unexpected '}'`},
	{"a point at the start is refused", `{"n":.5}`, "/n", `unexpected '.'`},
	{"an exponent without digits is refused", `{"n":1e+}`, "/n", `unexpected '}'`},
	{"hexadecimal is refused", `{"n":0x10}`, "", `unexpected 'x'`},
	{"NaN is refused", `{"n":NaN}`, "/n", `unexpected 'N'`},
	{"Infinity is refused", `{"n":-Infinity}`, "/n", `unexpected 'I'`},

	{"an escaped NUL is refused", `{"items":[{"name":"a\u0000b"}]}`, "/items/0/name", faultNUL},
	{"a raw NUL in a string is refused", "{\"items\":[1,\"a\x00b\"]}", "/items/1", faultNUL},
	{"a raw NUL between values is refused", "[1,\x002]", "/1", faultNUL},
	{"a NUL after the document is refused", "{}\x00", "", faultNUL},
	{"an escaped NUL in a key is refused", `{"a":{"b\u0000":1}}`, "/a", "a key with " + faultNUL},
	{"a raw NUL in a key is refused", "{\"a\":{\"b\x00\":1}}", "/a", "a key with " + faultNUL},
	{"a NUL after long text is refused", `{"a":"` + strings.Repeat("long text ", 50) + `\u0000"}`, "/a", faultNUL},
	{"a byte that is no UTF-8 is refused", "{\"name\":\"\xff\"}", "/name", faultUTF8},
	{"UTF-8 cut off is refused", "{\"name\":\"caf\xc3\"}", "/name", faultUTF8},
	{"UTF-8 cut off after long text is refused", "{\"name\":\"a long name, and then caf\xc3\"}", "/name", faultUTF8},
	{"an overlong form is refused", "[\"\xc0\x80\"]", "/0", faultUTF8},
	{"a surrogate in UTF-8 is refused", "[\"\xed\xa0\x80\"]", "/0", faultUTF8},
	{"Latin-1 in a key is refused", "{\"a\":{\"gr\xf6\xdfe\":1}}", "/a", "a key with " + faultUTF8},
	{"bytes outside of strings are refused", "[\xff]", "/0", faultUTF8},
	{"a lone high surrogate is refused", `["\ud800"]`, "/0", faultSurrogate},
	{"a lone low surrogate is refused", `["\udc00"]`, "/0", faultSurrogate},
	{"two high surrogates are refused", `["\ud83d\ud83d"]`, "/0", faultSurrogate},
	{"a high surrogate before text is refused", `["\ud83dabcdef"]`, "/0", faultSurrogate},
	{"a lone surrogate in a key is refused", `{"\ud800":1}`, "", "a key with " + faultSurrogate},
	{"a huge exponent is refused", `{"n":[0,1e131071]}`, "/n/1", faultNumber},
	{"a huge negative exponent is refused", `{"n":1e-131071}`, "/n", faultNumber},
	{"an exponent beyond every integer is refused", `{"n":1E+99999999999999999999999}`, "/n", faultNumber},
	{"a number of 401 digits is refused", `[` + strings.Repeat("7", 401) + `]`, "/0", faultNumber},
	{"a fraction of 400 digits is refused", `[0.` + strings.Repeat("7", 400) + `]`, "/0", faultNumber},
	{"digits and exponent count together", `[` + strings.Repeat("7", 390) + `e11]`, "/0", faultNumber},
	{"nesting one over the limit is refused", `{"a":` + open64 + close64 + `}`, "/a" + strings.Repeat("/0", 63), faultDepth},
	{"nesting without end is refused", strings.Repeat("[", 1<<20), strings.Repeat("/0", 64), faultDepth},
	{"nested objects count as nesting", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), strings.Repeat("/a", 64), faultDepth},
	{"the path escapes slashes and tildes", `{"a/b":{"~":"\u0000"}}`, "/a~1b/~0", faultNUL},
	{"the path reads escaped keys", `{"\u0061\n":"\u0000"}`, "/a\n", faultNUL},
	{"the path shortens long keys", `{"` + strings.Repeat("k", 9999) + `":"\u0000"}`, "/" + strings.Repeat("k", 40) + "…", faultNUL},
	{"the path shortens long keys between characters", `{"` + strings.Repeat("k", 39) + `größer":"\u0000"}`, "/" + strings.Repeat("k", 39) + "g…", faultNUL},
	{"the path never cuts a character", `{"` + strings.Repeat("k", 38) + `日本":"\u0000"}`, "/" + strings.Repeat("k", 38) + "…", faultNUL},
	{"the path counts to the value at fault", `{"good":["x",{"y":[0]}],"bad":[0,[],{"z":"\ud800"}]}`, "/bad/2/z", faultSurrogate},
}

func TestPayloads(t *testing.T) {
	for _, p := range payloads {
		t.Run(p.name, func(t *testing.T) {
			wantFault(t, Check([]byte(p.doc)), p.path, p.fault)
			wantFault(t, CheckAmbiguous([]byte(p.doc)), p.path, p.fault)
			raw, err := Encode(json.RawMessage(p.doc))
			if (err == nil) != (p.fault == "") || (raw != nil) != (p.fault == "") {
				t.Errorf("as a raw message: %s, %v", raw, err)
			}
		})
	}
}

func wantFault(t *testing.T, err error, path, fault string) {
	t.Helper()
	if fault == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var p *Error
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a Error: %s: %s", err, path, fault)
	}
	if p.Path != path || !strings.Contains(p.Fault, fault) {
		t.Errorf("got %q: %q\nwant %q: %q", p.Path, p.Fault, path, fault)
	}
}

func TestAmbiguousKeysAreRefused(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"key%d":%d,`, i, i)
	}
	for _, c := range []struct{ name, doc, path, key string }{
		{"different keys are kept", `{"a":1,"b":2,"ab":3}`, "", ""},
		{"the same key in two objects is kept", `{"a":{"a":[{"a":1},{"a":2}]}}`, "", ""},
		{"a hundred keys are kept", `{` + many.String() + `"z":0}`, "", ""},
		{"dotless i is another letter", `{"i":1,"ı":2}`, "", ""},
		{"equal keys are refused", `{"a":1,"b":2,"a":3}`, "", "a"},
		{"keys equal but for case are refused", `{"o":[{"userId":1,"UserID":2}]}`, "/o/0", "UserID"},
		{"keys equal behind an escape are refused", `{"a":1,"\u0061":2}`, "", "a"},
		{"umlauts are folded", `{"größe":1,"GRÖßE":2}`, "", "GRÖßE"},
		{"the long s is folded as encoding/json does", `{"s":1,"ſ":2}`, "", "ſ"},
		{"the Kelvin sign is folded as encoding/json does", `{"K":1,"k":2}`, "", "k"},
		{"empty keys are compared", `{"":1,"":2}`, "", ""},
		{"one among a hundred is found", `{"deep":{` + many.String() + `"KEY50":0}}`, "/deep", "KEY50"},
		{"a long key is shortened", `{"` + strings.Repeat("k", 99) + `":1,"` + strings.Repeat("K", 99) + `":2}`, "", strings.Repeat("K", 40) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Check([]byte(c.doc)); err != nil {
				t.Errorf("Check refuses it: %v", err)
			}
			want := fmt.Sprintf("the key %q comes twice", c.key)
			if strings.HasSuffix(c.name, "kept") || strings.HasSuffix(c.name, "another letter") {
				want = ""
			}
			wantFault(t, CheckAmbiguous([]byte(c.doc)), c.path, want)
		})
	}
}

var (
	_ encoding.TextMarshaler = textual("")
	_ json.Marshaler         = (*pointerly)(nil)
)

func TestStorableTextKeepsWhatCanBeKept(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"text is left alone", "größe 日本 🙂\n\t\u0001", "größe 日本 🙂\n\t\u0001"},
		{"the replacement character is left alone", "a\ufffd", "a\ufffd"},
		{"a NUL is written out", "a\x00b", `a\x00b`},
		{"a byte that is no UTF-8 is written out", "caf\xe9!", `caf\xe9!`},
		{"a cut off character is written out", "caf\xc3", `caf\xc3`},
		{"good text around it stays", "ä\xff\x00ö", `ä\xff\x00ö`},
		{"nothing stays nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Text(c.text)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if again := Text(got); again != got {
				t.Errorf("a second time it changes: %q", again)
			}
		})
	}
}

func TestGoodPayloadsCostNoAllocation(t *testing.T) {
	doc := []byte(`{"items":[{"name":"Widget Ä","n":-1.5e3},[true,null]],"more":"\u00e9\n"}`)
	if n := testing.AllocsPerRun(100, func() { _ = Check(doc) }); n != 0 {
		t.Errorf("Check: %v allocations", n)
	}
	text := "a note without anything odd"
	if n := testing.AllocsPerRun(100, func() { _ = Text(text) }); n != 0 {
		t.Errorf("Text: %v allocations", n)
	}
}

// FuzzCheck compares the scanner with the standard library, and with
// slower rules for what the standard library lets through.
func FuzzCheck(f *testing.F) {
	for _, p := range payloads {
		if len(p.doc) < 1000 { // larger ones slow the fuzzer down
			f.Add([]byte(p.doc))
		}
	}
	f.Add([]byte(`{"a":1,"A":[{"b":0,"\u0062":1}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		err := Check(doc)
		if want := json.Valid(doc) && utf8.Valid(doc) && !poisoned(doc); want != (err == nil) {
			t.Fatalf("%q: %v, but the rules say %v", doc, err, want)
		}
		var p *Error
		if err != nil && (!errors.As(err, &p) || Text(err.Error()) != err.Error() || len(err.Error()) > 16<<10) {
			t.Fatalf("%q: the error itself cannot be stored: %q", doc, err)
		}
		if err != nil {
			return
		}
		ambiguous := CheckAmbiguous(doc)
		d := json.NewDecoder(bytes.NewReader(doc))
		d.UseNumber()
		if want := ambiguousKeys(d); want != (ambiguous != nil) {
			t.Fatalf("%q: %v, but the rules say %v", doc, ambiguous, want)
		}
		if len(doc) > MaxBytes {
			return
		}
		raw, err := Encode(json.RawMessage(doc))
		var compact bytes.Buffer
		if compactErr := json.Compact(&compact, doc); err != nil || compactErr != nil || !bytes.Equal(raw, compact.Bytes()) {
			t.Fatalf("%q encodes as %q, %v", doc, raw, err)
		}
	})
}

var (
	escapedBackslash = regexp.MustCompile(`\\\\`)
	surrogatePair    = regexp.MustCompile(`(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}`)
	surrogate        = regexp.MustCompile(`(?i)\\ud[89a-f][0-9a-f]{2}`)
	exponentPart     = regexp.MustCompile(`[eE][+-]?0*([0-9]*)$`)
)

// poisoned looks for what the standard library lets through, in valid JSON.
func poisoned(doc []byte) bool {
	rest := surrogatePair.ReplaceAll(escapedBackslash.ReplaceAll(doc, []byte("__")), []byte("____________"))
	if surrogate.Match(rest) {
		return true
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	for depth := 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			return false
		}
		switch token := token.(type) {
		case json.Delim:
			if depth++; token == ']' || token == '}' {
				depth -= 2
			}
			if depth > MaxDepth {
				return true
			}
		case string:
			if strings.Contains(token, "\x00") {
				return true
			}
		case json.Number:
			number, size := string(token), 0
			if m := exponentPart.FindStringSubmatch(number); m != nil {
				if len(m[1]) > 5 {
					return true
				}
				size, _ = strconv.Atoi(m[1])
				number = number[:strings.IndexAny(number, "eE")]
			}
			size += len(strings.NewReplacer("-", "", ".", "").Replace(number))
			if size > MaxNumber {
				return true
			}
		}
	}
}

// ambiguousKeys compares every key with every other one of its object, in
// valid JSON.
func ambiguousKeys(d *json.Decoder) bool {
	token, _ := d.Token()
	var keys []string
	for open := token; (open == json.Delim('{') || open == json.Delim('[')) && d.More(); {
		if open == json.Delim('{') {
			token, _ := d.Token()
			key := token.(string)
			if slices.ContainsFunc(keys, func(other string) bool { return strings.EqualFold(key, other) }) {
				return true
			}
			keys = append(keys, key)
		}
		if ambiguousKeys(d) {
			return true
		}
	}
	if token == json.Delim('{') || token == json.Delim('[') {
		_, _ = d.Token() // the end of it
	}
	return false
}

func TestPlainIntegersWritesWholeNumbersInDigitsAndNothingElse(t *testing.T) {
	for doc, want := range map[string]string{
		`{"n":2.0,"list":[1e3,250e-1,-3.00,0.0,7]}`: `{"list":[1000,25,-3,0,7],"n":2}`,
		`[0.5,1e-3,1.000000000000000000001]`:        `[0.5,1e-3,1.000000000000000000001]`,
		`[9223372036854775807.0]`:                   `[9223372036854775807]`,
		`[9223372036854775808.0,1e300]`:             `[9223372036854775808.0,1e300]`,
		`["2.0",null,true]`:                         `["2.0",null,true]`,
		`{"open":`:                                  `{"open":`,
	} {
		if got := string(PlainIntegers([]byte(doc))); got != want {
			t.Errorf("%s becomes %s, want %s", doc, got, want)
		}
	}
}

func TestFoldAgreesWithEqualFold(t *testing.T) {
	byFold := map[string]rune{}
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		key := fold(string(r))
		if !strings.EqualFold(key, string(r)) {
			t.Fatalf("%q folds to %q", r, key)
		}
		if earlier, ok := byFold[key]; ok && !strings.EqualFold(string(earlier), string(r)) {
			t.Fatalf("%q and %q both fold to %q", earlier, r, key)
		}
		byFold[key] = r
	}
	if !reflect.DeepEqual(fold("Already small"), fold("already SMALL")) {
		t.Error("words are not folded")
	}
}
