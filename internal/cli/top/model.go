package top

import (
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// model is what the terminal shows. It is changed by messages alone.
type model struct {
	width, height int
	seen          seen
	err           error // why there is nothing newer
	first         int   // session that is shown first
	every         time.Duration
	look          func() (seen, error)
}

// news is what a look has brought.
type news struct {
	seen seen
	err  error
}

// again says that it is time to look again.
type again struct{}

// Init implements [tea.Model].
func (m model) Init() tea.Cmd { return m.wait() }

func (m model) wait() tea.Cmd {
	return tea.Tick(m.every, func(time.Time) tea.Msg { return again{} })
}

// Update implements [tea.Model].
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case again:
		return m, func() tea.Msg {
			s, err := m.look()
			return news{s, err}
		}
	case news:
		if m.err = msg.err; m.err == nil {
			m.seen = msg.seen
		}
		m.scroll(0)
		return m, m.wait()
	case tea.KeyMsg:
		return m.key(msg.String())
	}
	return m, nil
}

func (m model) key(k string) (tea.Model, tea.Cmd) {
	switch k {
	case "q", "esc", "ctrl+c":
		return m, tea.Quit
	case "down", "j":
		m.scroll(1)
	case "up", "k":
		m.scroll(-1)
	case "pgdown", " ":
		m.scroll(10)
	case "pgup":
		m.scroll(-10)
	case "home":
		m.scroll(-m.first)
	}
	return m, nil
}

// scroll goes so many sessions down, as far as there are any.
func (m *model) scroll(by int) {
	m.first = max(0, min(m.first+by, len(m.seen.Sessions.Live)-1))
}

// View implements [tea.Model].
func (m model) View() string {
	if m.width == 0 {
		return "" // it is not known yet
	}
	return strings.TrimSuffix(m.page(), "\n") // or the first line would be pushed out
}
