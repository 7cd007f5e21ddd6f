package payload

import (
	"bytes"
	"encoding/json"
	"math/big"
)

// PlainIntegers gives a document in which the whole numbers that an int64 can
// hold are written in digits alone: 2.0 as 2, 1e3 as 1000. Nothing else
// changes but the order of keys. What is not JSON is given back as it is.
func PlainIntegers(doc []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return doc
	}
	plain, err := json.Marshal(plainIntegers(v))
	if err != nil {
		return doc
	}
	return plain
}

func plainIntegers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = plainIntegers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = plainIntegers(v[i])
		}
	case json.Number:
		if n, ok := new(big.Rat).SetString(v.String()); ok && n.IsInt() && n.Num().IsInt64() {
			return json.Number(n.Num().String())
		}
	}
	return v
}
