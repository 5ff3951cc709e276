"""Build the templates of Grafana's messages: names instead of ids, in the reader's language. Pure.

Law: a template contains no `$`: in files for provisioning, `$` would begin a variable.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from grafana.board_site import BoardSite
from grafana.watched_rule import SEVERITIES, severity_words
from jieneng.metering.indicators import INDICATORS

NAME: Final = "jieneng"


#: Placeholders in angle quotes are filled in. The id of an indicator's alert is `scope/indicator`.
_TEMPLATES: Final = """\
{{ define "jieneng.subject" -}}
{{ template "jieneng.name" (reReplaceAll "/.*" "" .) }}
{{- if match "/" . }} · {{ template "jieneng.name" (reReplaceAll ".*/" "" .) }}{{ end }}
{{- end }}
{{ define "jieneng.value" -}}
{{ if match "^-?[0-9]" .Annotations.value -}}
: {{ .Annotations.value }}{{ template "jieneng.unit" .Labels.rule }} («limit»)
{{- end }}
{{- end }}
{{ define "jieneng.alert" -}}
{{ if eq .Status "firing" }}{{ template "jieneng.severity" .Labels.severity }}
{{- else }}✓ «recovered»{{ end }} · {{ if .Labels.rule }}{{ template "jieneng.rule" .Labels.rule }}
{{- print " · " }}{{ template "jieneng.subject" .Labels.subject }}
{{- template "jieneng.value" . }}
{{- else }}{{ .Annotations.summary }}: {{ .Annotations.description }}{{ end }} («since»)
{{- end }}
{{ define "jieneng.title" -}}
«site»: «firing», «recoveries»
{{- end }}
{{ define "jieneng.message" -}}
{{ range .Alerts }}- {{ template "jieneng.alert" . }}
{{ end }}
{{- end }}
"""


def message_template(site: BoardSite) -> str:
    """Return the template group: `jieneng.title`, `jieneng.message` and their parts."""
    tr = site.tr
    words = {severity: word for severity, (word, _) in severity_words(tr).items()}
    time = f'{{{{ .StartsAt | tz "{site.timezone}" | date "2006-01-02 15:04" }}}}'
    texts = {
        "limit": tr("limit {limit}").format(limit="{{ .Annotations.limit }}"),
        "since": tr("since {time}").format(time=time),
        "recovered": tr("Recovered"),
        "site": _literal(site.names.get(site.id, site.id)),
        "firing": tr("{count} firing").format(count="{{ len .Alerts.Firing }}"),
        "recoveries": tr("{count} recovered").format(count="{{ len .Alerts.Resolved }}"),
    }
    filled = _TEMPLATES
    for name, text in texts.items():
        filled = filled.replace(f"«{name}»", text)
    names = (
        _names("jieneng.rule", {rule.id: rule.name for rule in site.alert_rules}),
        _names(
            "jieneng.unit", {rule.id: f" {rule.unit}" for rule in site.alert_rules if rule.unit}, ""
        ),
        _names("jieneng.severity", {one: words[one] for one in SEVERITIES}),
        _names("jieneng.name", _subjects(site)),
    )
    return "\n".join((*names, filled))


def _subjects(site: BoardSite) -> dict[str, str]:
    names: Iterable[tuple[str, str]] = chain(
        site.names.items(),
        site.meter_names().items(),
        ((row.id, site.tr(row.en)) for row in INDICATORS.values()),
    )
    return dict(names)


def _names(template: str, names: Mapping[str, str], other: str = "{{ . }}") -> str:
    """Return a template that writes the name of an id; `other` for an id without a name."""
    cases = "".join(
        f'{{{{ {"else " if number else ""}if eq . "{one}" }}}}{_literal(name)}'
        for number, (one, name) in enumerate(names.items())
    )
    text = f"{cases}{{{{ else }}}}{other}{{{{ end }}}}" if cases else other
    return f'{{{{ define "{template}" -}}}}{text}{{{{- end }}}}'


def _literal(name: str) -> str:
    """Return a name as text of a template."""
    return name.replace("{{", "{ {").replace("$", "＄")
