package tasker

import (
	"context"
	"fmt"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// open saves the engine's templates in the store before its first task, so
// that a task can be read for as long as it is kept. The texts that others
// have left there become known too: tasks that began with an older one go on
// with it, where its handlers are still here.
func (e *Engine) open(ctx context.Context) error {
	if e.opened.Load() {
		return nil
	}
	select {
	case e.opening <- struct{}{}:
		defer func() { <-e.opening }()
	case <-ctx.Done():
		return fmt.Errorf("save templates: %w", context.Cause(ctx))
	}
	if e.opened.Load() {
		return nil
	}
	own := make([]StoredTemplate, len(e.config.Templates))
	for i, t := range e.config.Templates {
		own[i] = stored(t)
	}
	develops := e.config.Environment == "development"
	differing, err := e.store.SaveTemplates(ctx, own, develops)
	if err != nil {
		return fmt.Errorf("save templates: %w", err)
	}
	if names := namesOf(differing); len(names) > 0 {
		if !develops {
			return fmt.Errorf("the store has another text of %s; give the changed template a new version, since tasks that run must keep the text that they began with", names)
		}
		e.log.Warn("tasker: templates have changed under their version; tasks that began with the old text keep it", "templates", names, "environment", e.config.Environment)
	}
	if err := e.learn(ctx); err != nil {
		return err
	}
	e.opened.Store(true)
	return nil
}

func stored(t *template.Template) StoredTemplate {
	s := StoredTemplate{Namespace: t.Namespace, Name: t.Name, Version: t.Version, Hash: t.Hash(), Source: string(t.Source())}
	for i := range t.Steps {
		s.Steps = append(s.Steps, t.Steps[i].Name)
	}
	return s
}

func namesOf(templates []StoredTemplate) string {
	var names []string
	for _, t := range templates {
		names = append(names, fmt.Sprintf("%s/%s@%s", t.Namespace, t.Name, t.Version))
	}
	return strings.Join(names, ", ")
}

// learn reads the store's texts. One that cannot be read any more, or lacks a
// handler here, is left to other workers.
func (e *Engine) learn(ctx context.Context) error {
	texts, err := e.store.Templates(ctx)
	if err != nil {
		return fmt.Errorf("read templates: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, text := range texts {
		if e.texts[text.Hash] != nil {
			continue
		}
		t, err := template.Parse(fmt.Sprintf("%s/%s@%s in the store", text.Namespace, text.Name, text.Version), []byte(text.Source))
		if err != nil {
			e.log.Warn("tasker: a template in the store cannot be read", "template", namesOf([]StoredTemplate{text}), "error", err)
			continue
		}
		e.texts[t.Hash()] = t
		if p, problems := newPlan(t.In(e.config.Environment), e.config.Handlers); len(problems) == 0 {
			e.plans[planKey{t.Hash(), e.config.Environment}] = p
			e.runnable = append(e.runnable, TemplateKey{t.Namespace, t.Hash()})
		}
	}
	return nil
}

// planOf gives the plan that a stored task began with.
func (e *Engine) planOf(row *Row) (*plan, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := planKey{row.Hash, row.Environment}
	if p := e.plans[key]; p != nil {
		return p, nil
	}
	t := e.texts[row.Hash]
	if t == nil {
		return nil, fmt.Errorf("task %s: no template %s/%s@%s with hash %.12s is known", row.ID, row.Namespace, row.Name, row.Version, row.Hash)
	}
	p, problems := newPlan(t.In(row.Environment), e.config.Handlers)
	if len(problems) > 0 {
		return nil, fmt.Errorf("task %s: %w", row.ID, problems)
	}
	e.plans[key] = p
	return p, nil
}

// textOf gives the template that a stored task began with, which may be one
// that others have saved since this engine looked.
func (e *Engine) textOf(ctx context.Context, row *Row) (*template.Template, error) {
	t := e.text(row)
	if t == nil {
		if err := e.learn(ctx); err != nil {
			return nil, err
		}
		t = e.text(row)
	}
	if t == nil {
		return nil, fmt.Errorf("task %s: the store does not have the text of %s/%s@%s with hash %.12s", row.ID, row.Namespace, row.Name, row.Version, row.Hash)
	}
	return t, nil
}

func (e *Engine) text(row *Row) *template.Template {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.plans[planKey{row.Hash, row.Environment}]; p != nil {
		return p.template
	}
	if t := e.texts[row.Hash]; t != nil {
		return t.In(row.Environment)
	}
	return nil
}

// limitOf is how many steps of a template may run at once; 0 for no limit.
func (e *Engine) limitOf(hash string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.texts[hash]; t != nil {
		return t.Concurrency
	}
	return 0
}

// templateKeys names what this engine can run.
func (e *Engine) templateKeys() []TemplateKey {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runnable
}
