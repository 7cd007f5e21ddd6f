// Package money counts in whole cents, so that sums are exact, and writes
// amounts as JSON numbers with two decimals.
package money

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Amount is a sum of money in cents; the currency is kept beside it. Amounts
// are added with +. The zero value is no money.
type Amount int64

// Parse reads a JSON number (RFC 8259 section 6) as an amount, by its digits
// and not by way of a float: 38, 38.3, 38.30, 1.500 and 1e2 are exact. More
// than two decimals that matter, and what no Amount can hold, are errors.
func Parse(text string) (Amount, error) {
	a, err := parse(text)
	if err != nil {
		if len(text) > 40 {
			text = text[:40] + "..."
		}
		return 0, fmt.Errorf("money: %q %w", text, err)
	}
	return a, nil
}

func parse(text string) (Amount, error) {
	unsigned := strings.TrimPrefix(text, "-")
	if unsigned == "" || unsigned[0]-'0' > 9 || unsigned[len(unsigned)-1]-'0' > 9 || !json.Valid([]byte(text)) {
		return 0, errors.New("is not a number such as 124.76")
	}
	mantissa, power, _ := strings.Cut(strings.ToLower(unsigned), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return 0, nil
	}
	exponent := 0
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent < -1000 || exponent > 1000 {
			return 0, errors.New("has an exponent out of range")
		}
	}
	significant := strings.TrimRight(digits, "0")
	zeros := exponent - len(fraction) + len(digits) - len(significant) + 2 // that make them cents
	switch {
	case zeros < 0:
		return 0, errors.New("has more than two decimals")
	case len(significant)+zeros > 19:
		return 0, errors.New("is too large for an amount")
	}
	cents, err := strconv.ParseInt(text[:len(text)-len(unsigned)]+significant+strings.Repeat("0", zeros), 10, 64)
	if err != nil {
		return 0, errors.New("is too large for an amount")
	}
	return Amount(cents), nil
}

// String writes the amount with two decimals: 124.76, -0.05.
func (a Amount) String() string {
	sign, cents := "", uint64(a)
	if a < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}

// MarshalJSON writes the amount as a number with two decimals.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON reads a number as [Parse] does. A string is refused, and so
// is null: no amount is not the amount 0.00, use a *Amount.
func (a *Amount) UnmarshalJSON(text []byte) error {
	parsed, err := Parse(string(text))
	if err == nil {
		*a = parsed
	}
	return err
}

// Times gives n times the amount. It panics when no Amount can hold that.
func (a Amount) Times(n int64) Amount { return a.scale(n, 1) }

// Share gives so many basis points of the amount, hundredths of a percent:
// 800 are 8 %, 290 are 2.9 %. It is rounded to the cent, half away from zero.
// Share panics when no Amount can hold the result.
func (a Amount) Share(basisPoints int64) Amount { return a.scale(basisPoints, 10_000) }

// scale multiplies in 128 bits and divides with rounding.
func (a Amount) scale(n int64, by uint64) Amount {
	hi, lo := bits.Mul64(magnitude(int64(a)), magnitude(n))
	if hi < by {
		q, r := bits.Div64(hi, lo, by)
		if r >= by-r {
			q++
		}
		if q <= math.MaxInt64 {
			if (a < 0) != (n < 0) {
				return -Amount(q)
			}
			return Amount(q)
		}
	}
	panic(fmt.Sprintf("money: %s times %d/%d is too large for an amount", a, n, by))
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
