package money_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/money"
)

func Example() {
	var item struct {
		Price    money.Amount `json:"price"`
		Quantity int64        `json:"quantity"`
	}
	_ = json.Unmarshal([]byte(`{"price": 29.99, "quantity": 2}`), &item)
	subtotal := item.Price.Times(item.Quantity) + 4999
	tax := subtotal.Share(800) // 8 %
	out, _ := json.Marshal(map[string]money.Amount{"subtotal": subtotal, "tax": tax, "total": subtotal + tax})
	fmt.Println(string(out))
	// Output: {"subtotal":109.97,"tax":8.80,"total":118.77}
}

func TestNumbersAreReadExactly(t *testing.T) {
	for text, cents := range map[string]int64{
		"124.76": 12476, "38.3": 3830, "38": 3800, "0": 0, "-0": 0, "0.00": 0, "0.05": 5, "-0.05": -5,
		"1e2": 10000, "1E+2": 10000, "1.5e1": 1500, "12476e-2": 12476, "1247600e-4": 12476, "1.500": 150,
		"1.2300000000000000000000000000": 123, "0e5": 0, "0.000": 0, "0e99999999999999999999": 0, "100": 10000,
		"1e-2": 1, "1000e-3": 100, "0.29": 29, "1.15": 115, "4.35": 435, "0.0001e2": 1,
		"92233720368547758.07": math.MaxInt64, "-92233720368547758.08": math.MinInt64, "9.223372036854775807e16": math.MaxInt64,
	} {
		got, err := money.Parse(text)
		if err != nil || got != money.Amount(cents) {
			t.Errorf("%s: got %d cents, %v, want %d", text, int64(got), err, cents)
		}
		var decoded money.Amount
		if err := json.Unmarshal([]byte(text), &decoded); err != nil || decoded != got {
			t.Errorf("%s as JSON: %v, %v", text, decoded, err)
		}
	}
}

func TestWhatIsNoExactAmountIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"1.001": "more than two decimals", "0.005": "more than two decimals", "1e-3": "more than two decimals",
		"12476e-3": "more than two decimals", "124.75999999999999": "more than two decimals", "1e-400": "more than two decimals",
		"92233720368547758.08": "too large", "-92233720368547758.09": "too large", "1e17": "too large", "1e400": "too large",
		"1e99999999999999999999": "exponent out of range", "1e-1000000000": "exponent out of range", "5e2147483648": "exponent out of range",
		"": "not a number", "-": "not a number", "+1": "not a number", ".5": "not a number", "5.": "not a number", "01": "not a number",
		" 1": "not a number", "1 ": "not a number", "- 1": "not a number", "1,50": "not a number", "0x10": "not a number", "1e": "not a number",
		`"1.50"`: "not a number", "null": "not a number", "true": "not a number", "[1]": "not a number", "NaN": "not a number", "1 2": "not a number",
		strings.Repeat("9", 100_000): "too large",
	} {
		_, err := money.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 120 {
			t.Errorf("%.50s: got %v, want %q", text, err, want)
		}
		into := struct{ A money.Amount }{7}
		if err := json.Unmarshal([]byte(`{"A":`+text+`}`), &into); err == nil && !strings.HasSuffix(text, " ") && !strings.HasPrefix(text, " ") {
			t.Errorf("%.50s is read from JSON as %v", text, into.A)
		}
	}
}

func TestAmountsAreWrittenWithTwoDecimals(t *testing.T) {
	for cents, want := range map[money.Amount]string{
		12476: "124.76", 12470: "124.70", 0: "0.00", 5: "0.05", -5: "-0.05", -100: "-1.00", -12476: "-124.76",
		math.MaxInt64: "92233720368547758.07", math.MinInt64: "-92233720368547758.08",
	} {
		raw, err := json.Marshal(cents)
		if cents.String() != want || string(raw) != want || err != nil {
			t.Errorf("%d: %s, %s, %v, want %s", int64(cents), cents, raw, err, want)
		}
		if back, err := money.Parse(want); err != nil || back != cents {
			t.Errorf("%s reads back as %v, %v", want, back, err)
		}
	}
}

func TestSharesAreRoundedHalfAwayFromZero(t *testing.T) {
	for _, c := range []struct {
		amount      money.Amount
		basisPoints int64
		want        money.Amount
	}{
		{10997, 800, 880}, {12476, 290, 362}, {1000, 290, 29}, {0, 800, 0}, {12476, 0, 0}, {12476, 10_000, 12476},
		{50, 100, 1}, {49, 100, 0}, {150, 100, 2}, {-50, 100, -1}, {50, -100, -1}, {-49, 100, 0}, {-50, -100, 1},
		{math.MaxInt64, 10_000, math.MaxInt64}, {1, 4999, 0}, {1, 5000, 1},
	} {
		if got := c.amount.Share(c.basisPoints); got != c.want {
			t.Errorf("%d basis points of %s: got %s, want %s", c.basisPoints, c.amount, got, c.want)
		}
	}
}

func TestArithmeticAgreesWithMathBig(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		amount := money.Amount(random.Int64() >> random.IntN(63))
		n := random.Int64() >> random.IntN(63)
		if random.IntN(2) == 0 {
			amount = -amount
		}
		if random.IntN(2) == 0 {
			n = -n
		}
		agree(t, amount, n, 1, amount.Times)
		agree(t, amount, n, 10_000, amount.Share)
	}
	for _, edge := range []int64{math.MinInt64, math.MaxInt64, -1, 0, 1} {
		for _, n := range []int64{math.MinInt64, math.MaxInt64, -1, 0, 1, 9999, 10_000, 10_001} {
			agree(t, money.Amount(edge), n, 1, money.Amount(edge).Times)
			agree(t, money.Amount(edge), n, 10_000, money.Amount(edge).Share)
		}
	}
}

// agree compares with |a*n|*2+by over by*2, rounded down, and the sign.
func agree(t *testing.T, amount money.Amount, n, by int64, f func(int64) money.Amount) {
	t.Helper()
	product := new(big.Int).Mul(big.NewInt(int64(amount)), big.NewInt(n))
	sign := product.Sign()
	want := product.Abs(product)
	want.Mul(want, big.NewInt(2)).Add(want, big.NewInt(by)).Div(want, big.NewInt(2*by))
	fits := want.IsInt64()
	want.Mul(want, big.NewInt(int64(sign)))
	defer func() {
		if p := recover(); (p == nil) != fits {
			t.Fatalf("%d times %d/%d: panic %v, want %s", int64(amount), n, by, p, want)
		}
	}()
	if got := f(n); fits && big.NewInt(int64(got)).Cmp(want) != 0 {
		t.Fatalf("%d times %d/%d: got %d, want %s", int64(amount), n, by, int64(got), want)
	}
}

func TestNullIsNoAmountButANilPointerIs(t *testing.T) {
	var line struct{ Price *money.Amount }
	if err := json.Unmarshal([]byte(`{"Price":null}`), &line); err != nil || line.Price != nil {
		t.Errorf("got %v, %v", line.Price, err)
	}
}
