package tasker

import (
	"bytes"
	"encoding/json"
)

// MarshalJSON shows of an undoing how far it is and what came of it, and all
// of the step itself.
func (s TaskStep) MarshalJSON() ([]byte, error) {
	type plain TaskStep
	type undoing struct {
		State        StepState       `json:"state"`
		Attempts     int             `json:"attempts"`
		LostAttempts int             `json:"lost_attempts,omitempty"`
		Result       json.RawMessage `json:"result,omitempty"`
		Error        *Error          `json:"error,omitempty"`
	}
	shown := struct {
		plain
		Compensation *undoing `json:"compensation,omitempty"`
	}{plain: plain(s)}
	if c := s.Compensation; c != nil {
		shown.Compensation = &undoing{c.State, c.Attempts, c.LostAttempts, c.Result, c.Error}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // < stays <, as in the result
	err := encoder.Encode(shown)
	return out.Bytes(), err
}
