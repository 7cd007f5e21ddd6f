package template

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
)

const everyKey = "../../docs/every_key.yaml"

// places are the lines of the page's file above which a key that does not exist
// has the reader list those that do, one for each kind of mapping.
var places = []string{
	"name: book_room",
	"  callable: hotel.AdmitHandler",
	"    description: Keeps the room",
	"      callable: hotel.HoldRoomHandler",
	"      retryable: true",
	"      callable: hotel.RefundCardHandler",
	"        description: Money has moved",
	"    max_retry_after_ms: 20",
	"        timeout_seconds: 5",
}

func TestThePageOfEveryKeyHasEveryKey(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(everyKey)
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	if _, err := Parse(everyKey, raw); err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`the nearest is "\w+" of (.*)`)
	for _, place := range places {
		indent := place[:len(place)-len(strings.TrimLeft(place, " "))]
		wrong := strings.Replace(page, "\n"+place, "\n"+indent+"qqqqqqqqqqqqqqqq: 1\n"+place, 1)
		_, err := Parse(everyKey, []byte(wrong))
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 {
			t.Fatalf("above %q: the problems are %v, want the one unknown key", place, err)
		}
		keys := listed.FindStringSubmatch(problems[0].Message)
		if keys == nil {
			t.Fatalf("above %q: %s lists no keys", place, problems[0])
		}
		for _, key := range strings.Split(keys[1], ", ") {
			if !regexp.MustCompile(`\b` + key + `\b`).MatchString(page) {
				t.Errorf("docs/every_key.yaml has no %s, which %s may have", key, problems[0].Key)
			}
		}
	}
}
