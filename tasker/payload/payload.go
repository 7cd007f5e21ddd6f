// Package payload keeps out what no store can keep: JSON that PostgreSQL
// refuses, or blows up, or that encoding/json would silently alter. The engine
// holds every context, result and note to it, on every store alike.
package payload

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// The limits of a payload.
const (
	MaxBytes  = 1 << 20 // of a document
	MaxDepth  = 64      // levels of nesting
	MaxNumber = 400     // digits of a number plus its exponent: 1e131071 would take 131 kB once it is written out
)

// ErrTooLarge is the error of a payload over MaxBytes.
var ErrTooLarge = errors.New("the payload is too large")

// Error says which value of a document no store can keep, and why.
type Error struct {
	Path  string // JSON pointer (RFC 6901) to the value, long keys shortened; "" is the whole document
	Fault string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Fault
	}
	return e.Path + ": " + e.Fault
}

const (
	faultNUL       = `a NUL character (\u0000), which no store can keep`
	faultUTF8      = "text that is not valid UTF-8"
	faultSurrogate = `half a surrogate pair (such as \ud800), which is no character`
)

var (
	faultNumber = fmt.Sprintf("a number over the limit of %d digits, its exponent counted in", MaxNumber)
	faultDepth  = fmt.Sprintf("nesting deeper than the limit of %d levels", MaxDepth)
)

// Check refuses a document that not every store keeps as it is: what is
// not JSON (RFC 8259) in valid UTF-8, NUL characters, halves of surrogate
// pairs, numbers over MaxNumber and nesting over MaxDepth. PostgreSQL's jsonb
// refuses the first ones, and writes 1e131071 out in full. The error is a
// [*Error]. A good document costs one pass and no allocation.
func Check(doc []byte) error {
	s := scanner{doc: doc}
	return s.run()
}

// CheckAmbiguous refuses what Check does, and objects with two keys that
// are equal, or equal when their case is folded: encoding/json would fill one
// field with both, and the last one would win.
func CheckAmbiguous(doc []byte) error {
	s := scanner{doc: doc, compare: true}
	return s.run()
}

// pointer makes a JSON pointer of the keys on the way, the innermost first.
func pointer(path []string) string {
	var b strings.Builder
	for _, key := range slices.Backward(path) {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(Text(short(key))))
	}
	return b.String()
}

// short keeps a key from swelling the message that names it.
func short(key string) string {
	const limit = 40
	if len(key) <= limit {
		return key
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(key[end]) {
		end--
	}
	return key[:end] + "…"
}

// Text gives text as every store keeps it: NULs and bytes that are not
// UTF-8 are written as \x00 and the like. Text without them is given back as
// it is.
func Text(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else {
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// replacement is what json.Marshal writes for bytes that are not UTF-8; the
// character U+FFFD itself it leaves as it is.
var replacement = []byte(`\ufffd`)

// maxPooled is the size in bytes above which a buffer is not kept for reuse.
const maxPooled = 64 << 10

type encoder struct {
	buffer bytes.Buffer
	json   *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.json = json.NewEncoder(&e.buffer)
	e.json.SetEscapeHTML(false)
	return e
}}

// Encode gives the JSON of a value as every store keeps it, compact and
// without HTML escapes; nil is null. It refuses what json.Marshal refuses,
// panics in a MarshalJSON, what Check refuses, text that is not UTF-8,
// which json.Marshal silently rewrites, and more than MaxBytes bytes
// ([ErrTooLarge]).
//
// Three things end the process before anything can be refused, as they do
// everywhere in Go: a MarshalJSON that calls itself without end, a chain of
// pointers millions of links long, and a map that changes meanwhile.
func Encode(v any) (raw json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			raw, err = nil, fmt.Errorf("encoding a %T panicked: %v", v, p)
		}
	}()
	e := encoders.Get().(*encoder)
	e.buffer.Reset()
	if err := e.json.Encode(v); err != nil {
		encoders.Put(e)
		if found := findFault(v); found != nil {
			return nil, found
		}
		return nil, err
	}
	doc := e.buffer.Bytes()
	doc = doc[:len(doc)-1] // the encoder ends it with a newline
	if len(doc) > MaxBytes {
		err = fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(doc), MaxBytes)
	} else if err = Check(doc); err == nil && bytes.Contains(doc, replacement) {
		if found := findFault(v); found != nil {
			err = found
		}
	}
	if err == nil {
		raw = bytes.Clone(doc)
	}
	if e.buffer.Cap() <= maxPooled {
		encoders.Put(e)
	}
	return raw, err
}

// findFault looks in a value for what json.Marshal refuses or rewrites: text
// that is not UTF-8, NaN, infinities, channels, functions.
func findFault(v any) *Error {
	f := finder{seen: map[visit]bool{}}
	if fault := f.find(reflect.ValueOf(v)); fault != "" {
		return &Error{pointer(f.path), fault}
	}
	return nil
}

type finder struct {
	seen map[visit]bool
	path []string // to the fault, from the inside out
}

// visit is a place where the finder has been, so that it looks there once.
type visit struct {
	t   reflect.Type
	at  uintptr
	len int
}

func (f *finder) find(v reflect.Value) string {
	if !v.IsValid() {
		return ""
	}
	if fault, done := findOwn(v); done {
		return fault
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		place := visit{t: v.Type(), at: v.Pointer()}
		if v.Kind() == reflect.Slice {
			place.len = v.Len()
		}
		if v.IsNil() || f.seen[place] {
			return ""
		}
		f.seen[place] = true
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return faultUTF8
		}
	case reflect.Float32, reflect.Float64:
		if n := v.Float(); math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Sprintf("%v, which is no JSON number", n)
		}
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Sprintf("a %s, which has no JSON form", v.Type())
	case reflect.Pointer, reflect.Interface:
		return f.find(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return ""
		}
		for i := range v.Len() {
			if fault := f.find(v.Index(i)); fault != "" {
				f.path = append(f.path, strconv.Itoa(i))
				return fault
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if fault := f.find(entries.Key()); fault != "" {
				return "a key with " + fault
			}
			if fault := f.find(entries.Value()); fault != "" {
				f.path = append(f.path, fmt.Sprint(entries.Key()))
				return fault
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if fault := f.field(v.Type().Field(i), v.Field(i)); fault != "" {
				return fault
			}
		}
	}
	return ""
}

func (f *finder) field(field reflect.StructField, v reflect.Value) string {
	name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	switch {
	case name == "-" && options == "", !field.IsExported() && !field.Anonymous:
		return ""
	case strings.Contains(options, "omit") && v.IsZero():
		return ""
	}
	fault := f.find(v)
	if fault != "" && (name != "" || !field.Anonymous) {
		if name == "" {
			name = field.Name
		}
		f.path = append(f.path, name)
	}
	return fault
}

// findOwn looks at what the type's own methods make of a value. Text that
// MarshalJSON has itself encoded is not done with when it has replacements in
// it: they may come from the fields.
func findOwn(v reflect.Value) (fault string, done bool) {
	if !v.CanInterface() || v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() {
		return "", false
	}
	own := v.Interface()
	if v.CanAddr() {
		own = v.Addr().Interface() // has the methods of the value, too
	}
	switch own := own.(type) {
	case json.Marshaler:
		raw, err := own.MarshalJSON()
		return "", err != nil || !bytes.Contains(raw, replacement)
	case encoding.TextMarshaler:
		if text, err := own.MarshalText(); err == nil && !utf8.Valid(text) {
			return faultUTF8, true
		}
		return "", true
	}
	return "", false
}
