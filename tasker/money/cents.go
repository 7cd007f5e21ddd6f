package money

import "fmt"

// Cents is an [Amount] for interfaces that count in whole cents: 49.99 is
// 4999 in its JSON, and a fraction of a cent is refused.
type Cents int64

// String writes the amount with two decimals, as [Amount.String] does.
func (c Cents) String() string { return Amount(c).String() }

// UnmarshalJSON reads a whole number, by its digits: 4999, 4999.0 and 5e3. A
// string is refused, and so is null: no amount is not the amount 0.
func (c *Cents) UnmarshalJSON(text []byte) error {
	hundredfold, err := Parse(string(text))
	switch {
	case err != nil:
		return err
	case hundredfold%100 != 0:
		return fmt.Errorf("money: %s is not a whole number of cents", text)
	}
	*c = Cents(hundredfold / 100)
	return nil
}
