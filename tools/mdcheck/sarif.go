package main

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"

	"github.com/tasker-systems/tasker-go/tools/mdcheck/mdcheck"
)

// SARIF 2.1.0, the part of it that code scanning reads.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
		Related   []sarifLocation `json:"relatedLocations,omitempty"` // the source
	}
	sarifLocation struct {
		PhysicalLocation sarifPlace `json:"physicalLocation"`
	}
	sarifPlace struct {
		ArtifactLocation sarifFile   `json:"artifactLocation"`
		Region           sarifRegion `json:"region"`
	}
	sarifFile struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

func (v *view) sarif(w io.Writer) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "mdcheck", InformationURI: "https://github.com/tasker-systems/tasker-go/tree/main/tools/mdcheck"}
	number := map[mdcheck.Rule]int{}
	for i, r := range mdcheck.Rules {
		number[r.Rule] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{string(r.Rule), sarifText{r.Text}})
	}
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.Fixed {
			continue
		}
		result := sarifResult{
			RuleID: string(f.Rule), RuleIndex: number[f.Rule], Level: "error",
			Message:   sarifText{strings.TrimRight(f.Text+"\n"+f.Diff, "\n")},
			Locations: []sarifLocation{placeOf(f.File, f.Line)},
		}
		if f.Source != "" {
			result.Related = []sarifLocation{placeOf(f.Source, f.SourceLine)}
		}
		run.Results = append(run.Results, result)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

func placeOf(file string, line int) sarifLocation {
	return sarifLocation{sarifPlace{
		ArtifactLocation: sarifFile{(&url.URL{Path: file}).String(), "%SRCROOT%"}, Region: sarifRegion{line},
	}}
}
