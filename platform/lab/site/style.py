"""The look of the site: one style sheet, light and dark, without anything from outside."""

from pygments.formatters import HtmlFormatter

PAGE = """
:root { color-scheme: light dark; --ink: #1d2125; --soft: #59636e; --paper: #fff; --card: #f9fafb;
  --line: #d5d9de; --link: #0a58b5; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --soft: #a3abb4; --paper: #15181b; --card: #1f2428;
    --line: #3a424a; --link: #7db7ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 system-ui, sans-serif; }
header, main, footer { max-width: 50rem; margin: 0 auto; padding: 0 1.2rem; }
header { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding-top: 1rem; padding-bottom: 1rem;
  border-bottom: 1px solid var(--line); font-size: .92rem; }
header a:first-child { font-weight: 650; margin-right: auto; }
footer { display: flex; justify-content: space-between; gap: 1rem; margin: 3rem auto; padding-top: 1rem;
  border-top: 1px solid var(--line); }
a { color: var(--link); }
h1, h2, h3 { line-height: 1.25; margin: 2em 0 .6em; }
h1 { margin-top: 1.2em; }
img, svg { max-width: 100%; height: auto; }
figure { margin: 1em 0; }
figcaption, caption, .note { color: var(--soft); }
caption { text-align: left; padding: .3em 0; }
.note { border-left: 4px solid var(--line); padding: .2em 1em; }
code, pre { font: .88em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
code { background: var(--card); padding: .1em .3em; border-radius: 4px; }
pre { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .7em .9em; margin: .8em 0; }
pre code { background: none; padding: 0; font-size: 1em; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1em 0; min-width: 0 !important;
  font-size: .94em; }
th, td { border-bottom: 1px solid var(--line); padding: .35em .9em .35em 0; text-align: left;
  vertical-align: top; }
details { border: 1px solid var(--line); border-radius: 6px; padding: .4em .9em; margin: .8em 0; }
summary { cursor: pointer; }
ul.pages { list-style: none; padding: 0; }
ul.pages li { padding: .45em 0; border-bottom: 1px solid var(--line); }
ul.pages small { display: block; color: var(--soft); }
.prompt, .anchor-link { display: none; }
.output { border-left: 4px solid var(--line); padding-left: .9em; margin: .6em 0 1.4em; }
.output pre { background: none; border: 0; padding: .2em 0; margin: 0; }
"""


def sheet() -> str:
    """The whole style sheet."""
    # Both styles have a contrast of at least 4.5 to 1 (WCAG, level AA) on the cards of this sheet.
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    # The page's own colours lie below: only the words are coloured.
    plain = ".highlight, .highlight pre { background: var(--card); } .highlight .err { border: 0; }"
    return f"{PAGE}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{plain}\n"
