package payload

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

type benchLine struct {
	Name     string  `json:"name"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
	Note     string  `json:"note"`
}

func mustMarshal(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func repeated(v benchLine, n int) []benchLine {
	s := make([]benchLine, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func BenchmarkCheckJSON(b *testing.B) {
	for _, d := range benchDocs {
		b.Run(d.name, func(b *testing.B) {
			b.SetBytes(int64(len(d.doc)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(d.doc); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(d.name+"/json.Valid", func(b *testing.B) {
			b.SetBytes(int64(len(d.doc)))
			for b.Loop() {
				if !json.Valid(d.doc) || !utf8.Valid(d.doc) {
					b.Fatal("not valid")
				}
			}
		})
	}
}

func BenchmarkCheckAmbiguous(b *testing.B) {
	for b.Loop() {
		_ = CheckAmbiguous(benchDocs[1].doc)
	}
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Encode(benchResult)
	}
}

func BenchmarkEncodeAgainstMarshal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = json.Marshal(benchResult)
	}
}

func BenchmarkStorableText(b *testing.B) {
	text := strings.Repeat("a note with words in it ", 8)
	for b.Loop() {
		_ = Text(text)
	}
}

var (
	benchResult = benchLine{"Widget A", 2, 29.99, strings.Repeat("a note with words in it ", 6)}
	benchDocs   = []struct {
		name string
		doc  []byte
	}{
		{"text_200B", mustMarshal(json.Marshal(benchResult))},
		{"order_200B", []byte(`{"order_id":4711,"items":[{"sku":"W-1","qty":2,"price":29.99},{"sku":"W-2","qty":1,"price":49.99}],"total":124.76,"paid":true,"customer":{"email":"ann@example.com","tier":"premium"},"note":null,"x":123456}`)},
		{"german_30kB", mustMarshal(json.Marshal(repeated(benchLine{"Gerät Ä", 2, 29.99, "kürzlich geändert"}, 400)))},
		{"zeros_40kB", mustMarshal(json.Marshal(make([]int, 20000)))},
	}
)
