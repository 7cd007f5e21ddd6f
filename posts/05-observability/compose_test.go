package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// What docker-compose starts is configured by files of this folder, which name
// each other: a service, a port, a path within a container.
func TestTheFilesOfJaegerPrometheusAndGrafanaFitEachOther(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct {
			Profiles, Ports, Volumes []string
		}
	}
	readYAML(t, "../../docker-compose.yml", &compose)
	mounted := map[string][]string{} // paths in containers, by service
	for name, service := range compose.Services {
		if !slices.Contains(service.Profiles, "observability") {
			continue
		}
		for _, volume := range service.Volumes {
			parts := strings.Split(volume, ":")
			if _, err := os.Stat(filepath.Join("../..", parts[0])); err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
			mounted[name] = append(mounted[name], parts[1])
		}
	}

	var prometheus struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	readYAML(t, "prometheus.yml", &prometheus)
	var dashboards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, "grafana/dashboards.yml", &dashboards)
	if len(prometheus.RuleFiles) != 1 || !slices.Contains(mounted["prometheus"], prometheus.RuleFiles[0]) {
		t.Errorf("Prometheus reads the rules %q, and what it has is %q", prometheus.RuleFiles, mounted["prometheus"])
	}
	if len(dashboards.Providers) != 1 || !slices.Contains(mounted["grafana"], dashboards.Providers[0].Options.Path) {
		t.Errorf("Grafana looks for dashboards in %+v, and what it has is %q", dashboards.Providers, mounted["grafana"])
	}

	var sources struct {
		Datasources []struct{ UID, Type, URL string }
	}
	readYAML(t, "grafana/datasources.yml", &sources)
	types := map[string]string{}
	for _, s := range sources.Datasources {
		types[s.UID] = s.Type
		at := regexp.MustCompile(`^http://([a-z]+):(\d+)$`).FindStringSubmatch(s.URL)
		if at == nil || !slices.ContainsFunc(compose.Services[at[1]].Ports, func(p string) bool { return strings.HasSuffix(p, ":"+at[2]) }) {
			t.Errorf("nobody listens at %s", s.URL)
		}
	}
	var dashboard struct {
		Panels []struct {
			Title      string
			Datasource struct{ UID, Type string }
		}
	}
	raw, err := os.ReadFile("dashboards/checkout.json")
	if err == nil {
		err = json.Unmarshal(raw, &dashboard)
	}
	if err != nil || len(dashboard.Panels) == 0 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	for _, p := range dashboard.Panels {
		if types[p.Datasource.UID] != p.Datasource.Type {
			t.Errorf("%s asks %+v, which is none of %v", p.Title, p.Datasource, types)
		}
	}
}
