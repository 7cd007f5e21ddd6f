// Package posts has no code of its own: each folder is a post.
package posts

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/tasker-systems/tasker-go/tools/mdcheck/mdcheck"
)

//go:generate go run ../tools/mdcheck -fix .

// post is an entry of posts.yaml.
type post struct{ Folder, Title, About string }

func TestTheListsOfPostsFollowPostsYAML(t *testing.T) {
	posts := read(t)
	hold(t, "../README.md", "posts:list", list(posts))
	for i := range posts {
		hold(t, posts[i].Folder+"/README.md", "posts:nav", nav(posts, i))
	}
}

func TestEveryFolderIsListedOnce(t *testing.T) {
	var listed, there []string
	for _, p := range read(t) {
		listed = append(listed, p.Folder)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			there = append(there, e.Name())
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(there, listed); diff != "" {
		t.Errorf("posts.yaml does not list what is there (-there +listed):\n%s", diff)
	}
}

func TestEveryPostBeginsWithItsTitle(t *testing.T) {
	for _, p := range read(t) {
		if text := text(t, p.Folder+"/README.md"); !strings.Contains(text, "\n# "+p.Title+"\n") {
			t.Errorf("%s/README.md has another title than posts.yaml: %q", p.Folder, p.Title)
		}
	}
}

func TestEveryBlockIsWhatItShows(t *testing.T) {
	for _, p := range read(t) {
		t.Run(p.Folder, func(t *testing.T) { mdcheck.Test(t, p.Folder) })
	}
}

func read(t *testing.T) (posts []post) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text(t, "posts.yaml")))
	d.KnownFields(true)
	if err := d.Decode(&posts); err != nil {
		t.Fatalf("posts.yaml: %v", err)
	}
	return posts
}

func text(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func list(posts []post) string {
	var b strings.Builder
	b.WriteString("| post | what it is about |\n|---|---|\n")
	for i, p := range posts {
		fmt.Fprintf(&b, "| %d. [%s](posts/%s/README.md) | %s |\n", i+1, p.Title, p.Folder, p.About)
	}
	return b.String()
}

// nav is the line by which one goes from a post to those beside it.
func nav(posts []post, i int) string {
	parts := []string{fmt.Sprintf("Post %d of %d in [tasker-go](../../README.md)", i+1, len(posts))}
	if i > 0 {
		parts = append(parts, fmt.Sprintf("before: [%s](../%s/README.md)", posts[i-1].Title, posts[i-1].Folder))
	}
	if i+1 < len(posts) {
		parts = append(parts, fmt.Sprintf("next: [%s](../%s/README.md)", posts[i+1].Title, posts[i+1].Folder))
	}
	return "*" + strings.Join(parts, " · ") + "*\n"
}

// hold holds what is between the marks in a file, wherever they stand, to
// what it must be, or writes it there with UPDATE=1.
func hold(t *testing.T, file, mark, want string) {
	t.Helper()
	is := text(t, file)
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	var made bytes.Buffer
	rest, found := is, false
	for {
		before, after, ok := strings.Cut(rest, begin)
		_, behind, closed := strings.Cut(after, end)
		if !ok || !closed {
			break
		}
		found = true
		made.WriteString(before + begin + want + end)
		rest = behind
	}
	made.WriteString(rest)
	switch {
	case !found:
		t.Errorf("%s has no %q to put the list into", file, strings.TrimSpace(begin))
	case made.String() == is:
	case os.Getenv("UPDATE") == "1":
		if err := os.WriteFile(file, made.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s differs from posts.yaml; make docs writes it anew (-is +must be):\n%s", file, cmp.Diff(is, made.String()))
	}
}
