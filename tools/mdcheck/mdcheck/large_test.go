package mdcheck

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A page of nothing but one sign after the other is what makes a scan look
// ahead again and again. None of these may take longer than text does.
func TestAPageOfOneSignIsReadAsTextIs(t *testing.T) {
	size := 1 << 20
	if testing.Short() {
		size = 1 << 17
	}
	dir := t.TempDir()
	for _, unit := range []string{
		"word ", "[", "]", "[a](b \"", "[a](b (", "](", "[a](", "`a", "`` ` ", "<a ", "<!-- ", "<!-- mdcheck ", "> ", "- ", "1. ", "*\n", "- x\n", "> x\n",
		"\\", "```\n", "~~~ x\n", "a\n===\n", "# a\n", "[a](#b)\n\n", "[x]: y\n", "[x][y] ", "`AbCd` ", "<!-- mdcheck test=a value=b -->", "<!-- mdcheck src=a -->\n",
		"<!-- mdcheck skip reason=x -->\n```\n```\n", "| a ", "|-", "\t", " ", "\r", "<pre>\n", "<div>\n", "é", "&",
	} {
		t.Run(strings.TrimSpace(unit), func(t *testing.T) {
			text := bytes.Repeat([]byte(unit), size/len(unit))
			if unit == "`` ` " { // runs of all lengths
				text = nil
				for n := 1; len(text) < size; n++ {
					text = append(append(text, bytes.Repeat([]byte("`"), n)...), ' ')
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "a.md"), text, 0o644); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			checkIn(t, mustOpen(t, dir, Options{}))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestTenMegabytesOfTextAreReadInSeconds(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("## A heading\n\nSome text with `code`, a [link](#a-heading) and more.\n\n```text\nshown\n```\n\n", 120_000)
	if err := os.WriteFile(filepath.Join(dir, "a.md"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	report := checkIn(t, mustOpen(t, dir, Options{}))
	if took := time.Since(began); took > 10*time.Second || report.Code() != 0 {
		t.Errorf("%d bytes took %v, exit %d", len(text), took, report.Code())
	}
}
