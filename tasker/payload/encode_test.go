package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
)

type (
	linkedStruct struct {
		Next *linkedStruct `json:"next"`
	}
	panickingJSON struct{}
	failingJSON   struct{}
	aliased       struct {
		Text string `json:"text"`
	}
	base64ed    string
	textual     string
	pointerly   struct{ text string }
	innerStruct struct {
		Inner string `json:"inner"`
	}
	outerStruct struct {
		innerStruct
		Hidden string `json:"-"`
		Empty  string `json:"empty,omitempty"`
		quiet  string
	}
)

var errFailing = errors.New("no form today")

func (panickingJSON) MarshalJSON() ([]byte, error) { panic("no form") }
func (failingJSON) MarshalJSON() ([]byte, error)   { return nil, errFailing }
func (a aliased) MarshalJSON() ([]byte, error) {
	type plain aliased
	return json.Marshal(plain(a))
}
func (b base64ed) MarshalJSON() ([]byte, error)   { return json.Marshal([]byte(b)) }
func (x textual) MarshalText() ([]byte, error)    { return []byte(x), nil }
func (p *pointerly) MarshalJSON() ([]byte, error) { return []byte(`"fixed"`), nil }

func TestEncodeKeeps(t *testing.T) {
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"nil as null", nil, `null`},
		{"a nil pointer as null", (*linkedStruct)(nil), `null`},
		{"a nil raw message as null", json.RawMessage(nil), `null`},
		{"HTML as it is", "<a href='x'>&</a>", `"<a href='x'>&</a>"`},
		{"a raw message compact", json.RawMessage(" { \"a\" : [1, 2] }\n"), `{"a":[1,2]}`},
		{"a nested raw message as it was written", map[string]json.RawMessage{"n": json.RawMessage(`1.50e1`)}, `{"n":1.50e1}`},
		{"the replacement character", "a\ufffdb", "\"a\ufffdb\""},
		{"the escaped replacement character of a raw message", []any{json.RawMessage(`"\ufffd"`), "fine"}, `["\ufffd","fine"]`},
		{"what MarshalJSON makes of bytes, beside an escaped replacement character", []any{base64ed("\xff"), json.RawMessage(`"\ufffd"`)}, `["/w==","\ufffd"]`},
		{"bytes as base64", []byte("\xff\x00"), `"/wA="`},
		{"hidden and empty fields out", outerStruct{innerStruct: innerStruct{"x"}, Hidden: "\xff", quiet: "\xff"}, `{"inner":"x"}`},
		{"hidden fields out, beside an escaped replacement character", []any{outerStruct{Hidden: "\xff", quiet: "\xff"}, json.RawMessage(`"\ufffd"`)}, `[{"inner":""},"\ufffd"]`},
		{"integers beyond 2^53", uint64(math.MaxUint64), `18446744073709551615`},
		{"json.Number", json.Number("12345678901234567890.5"), `12345678901234567890.5`},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := Encode(c.v)
			if err != nil || string(raw) != c.want {
				t.Errorf("got %s, %v, want %s", raw, err, c.want)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	pointers := &linkedStruct{}
	pointers.Next = pointers
	mapped := map[string]any{}
	mapped["self"] = map[string]any{"again": mapped}
	listed := []any{1, nil}
	listed[1] = listed
	var boxed any
	boxed = &boxed
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"NaN", map[string]any{"rate": []float64{1, math.NaN()}}, "/rate/1: NaN, which is no JSON number"},
		{"infinity", struct{ Rate float32 }{float32(math.Inf(-1))}, "/Rate: -Inf, which is no JSON number"},
		{"a complex number", 1i, "a complex128, which has no JSON form"},
		{"a channel", []any{make(chan int)}, "/0: a chan int, which has no JSON form"},
		{"a function", map[string]any{"f": func() {}}, "/f: a func(), which has no JSON form"},
		{"a map with odd keys", map[[1]int]int{{1}: 1}, "unsupported type"},
		{"a cycle of pointers", pointers, "cycle"},
		{"a cycle of maps", mapped, "cycle"},
		{"a cycle of slices", listed, "cycle"},
		{"a cycle of interfaces", boxed, "cycle"},
		{"a panic in MarshalJSON", []any{panickingJSON{}}, "panicked: no form"},
		{"an error of MarshalJSON", failingJSON{}, errFailing.Error()},
		{"an empty raw message", json.RawMessage{}, "unexpected end"},
		{"a broken raw message", []json.RawMessage{json.RawMessage(`{`)}, "unexpected end"},
		{"a raw message with a NUL", map[string]any{"a": json.RawMessage(`"\u0000"`)}, "/a: " + faultNUL},
		{"a raw message with half a surrogate pair", json.RawMessage(`"\ud800"`), faultSurrogate},
		{"a raw message that is not UTF-8", []json.RawMessage{json.RawMessage("\"\xff\"")}, "/0: " + faultUTF8},
		{"a number that grows when it is written out", json.Number("1e131071"), faultNumber},
		{"a NUL in text", struct {
			Name string `json:"name"`
		}{"a\x00"}, "/name: " + faultNUL},
		{"a NUL in a key", map[string]int{"a\x00": 1}, "a key with " + faultNUL},
		{"text that is not UTF-8", map[string]any{"items": []any{outerStruct{innerStruct: innerStruct{"caf\xe9"}}}}, "/items/0/inner: " + faultUTF8},
		{"a key that is not UTF-8", map[string]any{"a": map[string]int{"caf\xe9": 1}}, "/a: a key with " + faultUTF8},
		{"a typed key that is not UTF-8", map[textual]int{"caf\xe9": 1}, "a key with " + faultUTF8},
		{"text of MarshalText that is not UTF-8", []textual{"caf\xe9"}, "/0: " + faultUTF8},
		{"text that MarshalJSON itself rewrote", &[]aliased{{"fine"}, {"caf\xe9"}}, "/1/text: " + faultUTF8},
		{"text in a quoted field that is not UTF-8", struct {
			S string `json:"s,string"`
		}{"\xff"}, "/s: " + faultUTF8},
		{"text behind pointers that is not UTF-8", map[string]**string{"p": pointerTo(pointerTo("\xff"))}, "/p: " + faultUTF8},
		{"text that is not UTF-8 beside good replacement characters", []any{json.RawMessage(`"\ufffd"`), "\ufffd", &pointerly{"\xff"}, "\xff"}, "/3: " + faultUTF8},
		{"nesting over the limit", json.RawMessage(open64 + "[]" + close64), strings.Repeat("/0", 64) + ": " + faultDepth},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := Encode(c.v)
			if raw != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %s, %v, want %s", raw, err, c.want)
			}
			if again, err := Encode(outerStruct{}); string(again) != `{"inner":""}` || err != nil {
				t.Errorf("the next value is hurt: %s, %v", again, err)
			}
		})
	}
	if _, err := Encode(failingJSON{}); !errors.Is(err, errFailing) {
		t.Errorf("the cause of %v is lost", err)
	}
}

func pointerTo[T any](v T) *T { return &v }

func TestEncodeHoldsTheLimitToTheByte(t *testing.T) {
	if raw, err := Encode(strings.Repeat("x", MaxBytes-2)); err != nil || len(raw) != MaxBytes {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	for _, size := range []int{MaxBytes - 1, 10 * MaxBytes} {
		if raw, err := Encode(strings.Repeat("x", size)); raw != nil || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes of text: %d bytes, %v", size, len(raw), err)
		}
	}
}

func TestEncodedValuesDoNotShareTheirBytes(t *testing.T) {
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			want := fmt.Sprintf(`{"a":"%s"}`, strings.Repeat("x", i))
			var all []json.RawMessage
			for range 200 {
				raw, err := Encode(map[string]string{"a": strings.Repeat("x", i)})
				if err != nil {
					t.Error(err)
				}
				all = append(all, raw)
			}
			for _, raw := range all {
				if string(raw) != want {
					t.Errorf("got %s, want %s", raw, want)
				}
			}
		})
	}
	group.Wait()
}
