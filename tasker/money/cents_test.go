package money_test

import (
	"encoding/json"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/money"
)

func TestCentsAreWholeNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]money.Cents{"4999": 4999, "4999.0": 4999, "5e3": 5000, "0": 0, "-1": -1, "90000000000000000": 90000000000000000} {
		var got money.Cents
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, int64(got), err, int64(want))
		}
	}
	for _, text := range []string{"49.99", "0.5", "1e-1", `"4999"`, "null", "true", "1e19"} {
		var got money.Cents
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is read as %d cents", text, int64(got))
		}
	}
}

func TestCentsAreWrittenWholeInJSONAndWithDecimalsForPeople(t *testing.T) {
	t.Parallel()
	out, err := json.Marshal(map[string]money.Cents{"refund": 4999})
	if err != nil || string(out) != `{"refund":4999}` {
		t.Errorf("the JSON is %s, %v", out, err)
	}
	if text := money.Cents(4999).String(); text != "49.99" {
		t.Errorf("the text is %s", text)
	}
}
