"""Define the page's style sheet. Each colour is defined once for light mode and once for dark mode.

The colours of the verdicts are based on those of Okabe and Ito (Color Universal Design, 2008),
which people with any colour blindness can tell apart. They are darkened or lightened, so that text
has a contrast of at least 4.5 to 1.
"""

from typing import Final

CSS: Final = """
:root {
  --paper: #fbfaf7; --card: #ffffff; --ink: #1c2329; --soft: #5b6670; --line: #dcdfdd;
  --grid: #e8eae8; --track: #e4e8e7; --accent: #2d6a75; --accent-soft: #9dbfc4; --base: #b0762a;
  --met: #00704f; --met-soft: #e0f1ea; --on_track: #0b5f97; --on_track-soft: #e1eef8;
  --at_risk: #8a5a00; --at_risk-soft: #fbf0d6; --missed: #b03a00; --missed-soft: #fbe7dc;
  --doubtful: #8c3a6e; --doubtful-soft: #f6e4ef; --none: #5b6670; --none-soft: #eceeef;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14191c; --card: #1c2326; --ink: #e7ebe9; --soft: #9aa7ab; --line: #333d41;
    --grid: #2a3337; --track: #2f393d; --accent: #79b8c2; --accent-soft: #3d6a72; --base: #e0a955;
    --met: #5fcfa5; --met-soft: #163a2e; --on_track: #7cbcf0; --on_track-soft: #17344a;
    --at_risk: #f0c35a; --at_risk-soft: #40320f; --missed: #ff9d6b; --missed-soft: #47230f;
    --doubtful: #e59cc6; --doubtful-soft: #43203a; --none: #a5b0b4; --none-soft: #2c3437;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink); font-size: 15px; line-height: 1.5;
  font-family: "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei",
    system-ui, sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1180px; margin: 0 auto; padding: 40px 28px 64px; }
header { border-bottom: 2px solid var(--ink); padding-bottom: 14px; margin-bottom: 8px; }
h1 { font-size: 32px; line-height: 1.2; margin: 2px 0 6px; font-weight: 700; }
h2 { font-size: 18px; margin: 36px 0 12px; font-weight: 700; }
h3 { font-size: 15px; margin: 0; font-weight: 600; }
p { margin: 0; }
small { font-size: 12px; color: var(--soft); }
.over { color: var(--accent); font-weight: 600; letter-spacing: .04em; }
.quiet { color: var(--soft); font-size: 13px; }
pre { margin: 8px 0 0; padding: 10px 14px; background: var(--card); border: 1px solid var(--line);
  font-size: 12.5px; white-space: pre-wrap; break-inside: avoid; }
.verdicts { display: flex; flex-wrap: wrap; gap: 6px 18px; margin-top: 10px; }
.badge {
  display: inline-flex; align-items: center; gap: 5px; padding: 1px 9px 1px 3px;
  border-radius: 99px;  font-size: 12.5px; font-weight: 600; white-space: nowrap;
  color: var(--none); background: var(--none-soft);
}
.sign {
  display: inline-grid; place-items: center; width: 17px; height: 17px; border-radius: 50%;
  font-size: 11px; line-height: 1; font-weight: 700; background: var(--none); color: var(--card);
}
.badge.met { color: var(--met); background: var(--met-soft); }
.badge.met .sign { background: var(--met); }
.badge.on_track { color: var(--on_track); background: var(--on_track-soft); }
.badge.on_track .sign { background: var(--on_track); }
.badge.at_risk { color: var(--at_risk); background: var(--at_risk-soft); }
.badge.at_risk .sign { background: var(--at_risk); }
.badge.missed { color: var(--missed); background: var(--missed-soft); }
.badge.missed .sign { background: var(--missed); }
.badge.doubtful { color: var(--doubtful); background: var(--doubtful-soft); }
.badge.doubtful .sign { background: var(--doubtful); }
.alerts .badge { padding-left: 9px; }
.badge.firing, .severity.critical { color: var(--missed); }
.badge.firing { background: var(--missed-soft); }
.badge.pending { color: var(--at_risk); background: var(--at_risk-soft); }
.badge.over { color: var(--met); background: var(--met-soft); }
.severity { font-weight: 600; } .severity.warning { color: var(--at_risk); }
p.firing { margin-top: 8px; font-weight: 600; color: var(--missed); }
p.firing a { color: inherit; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr)); gap: 16px; }
.caps { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 16px; }
.card {
  --mine: var(--none); background: var(--card); border: 1px solid var(--line);
  border-top: 4px solid var(--mine); border-radius: 6px; padding: 14px 16px 12px;
  break-inside: avoid;
}
.card.met { --mine: var(--met); } .card.on_track { --mine: var(--on_track); }
.card.at_risk { --mine: var(--at_risk); } .card.missed { --mine: var(--missed); }
.card.doubtful { --mine: var(--doubtful); }
.card h3 { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 8px; }
.value { margin-top: 6px; color: var(--soft); }
.value b { font-size: 34px; line-height: 1.2; font-weight: 700; color: var(--ink); }
.value .used { float: right; margin-top: 18px; color: var(--ink); }
.change b { color: var(--ink); }
.card > .change { margin-bottom: 8px; color: var(--soft); }
.card svg { margin: 2px 0 4px; }
dl { margin: 6px 0 0; font-size: 13px; }
dl div { display: flex; justify-content: space-between; gap: 12px; padding: 3px 0;
  border-top: 1px solid var(--grid); }
dt { color: var(--soft); } dd { margin: 0; text-align: right; white-space: nowrap; }
.definitions div { justify-content: flex-start; }
.definitions dt { flex: 0 0 11em; } .definitions dd { text-align: left; white-space: normal; }
table { width: 100%; border-collapse: collapse; background: var(--card); font-size: 13.5px;
  border: 1px solid var(--line); }
th, td { padding: 6px 10px; text-align: left; vertical-align: baseline;
  border-bottom: 1px solid var(--grid); }
thead th { font-size: 12.5px; font-weight: 600; color: var(--soft);
  border-bottom-color: var(--line); vertical-align: bottom; }
tr { break-inside: avoid; }
.number { text-align: right; white-space: nowrap; }
.doubts .name, .doubts thead th { white-space: nowrap; }
.details .strong { font-weight: 700; }
.details .unit, .basis { color: var(--soft); font-size: 12.5px; }
.details thead th:nth-child(n+2):nth-child(-n+7):not(:nth-child(3)),
.details thead th:nth-child(9), .details thead th:nth-child(10),
.compared thead th:nth-child(n+3):nth-child(-n+7),
.live thead th:nth-child(n+3), .causes thead th:nth-child(n+2) { text-align: right; }
.group th { background: var(--paper); padding-top: 12px; }
.matrix td b { font-size: 17px; }
.matrix .badge { margin-right: 8px; } .matrix small { white-space: nowrap; }
.matrix { table-layout: fixed; } .matrix tbody th { font-size: 15px; }
.charts { display: grid; gap: 18px; }
.charts.four { grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); }
.charts.three { grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); margin: 6px 0 22px; }
figure { margin: 0; break-inside: avoid; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: 10px 12px; }
figcaption { font-size: 13.5px; font-weight: 600; margin-bottom: 4px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg.defs { position: absolute; width: 0; height: 0; }
svg text { font-size: 12px; fill: var(--soft); font-family: inherit; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); }
.bar { fill: var(--accent); }
.bar.thin, .cell.low { fill: url(#thin); stroke: var(--accent); stroke-width: .8; }
.hatch { stroke: var(--accent); stroke-width: 1.2; }
.rise { fill: var(--missed); } .fall { fill: var(--met); }
.base { stroke: var(--base); stroke-width: 2; }
.path { stroke: var(--soft); stroke-width: 1.4; stroke-dasharray: 4 3; }
.target { stroke: var(--base); stroke-width: 2; }
line.actual { stroke: var(--accent); stroke-width: 2.2; stroke-linecap: round; }
.dot { fill: var(--accent); stroke: var(--card); stroke-width: 1.5; }
.dot.hollow { fill: var(--card); stroke: var(--accent); }
.cell.full { fill: var(--accent); } .cell.none { fill: none; stroke: var(--line); }
.track { fill: var(--track); }
.fill { fill: var(--mine, var(--accent)); } .card .dot { fill: var(--mine); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 8px 0; }
.key { display: inline-block; width: 18px; height: 10px; margin-right: 6px; border-radius: 2px; }
.key.bar { background: var(--accent); }
.key.thin { background: repeating-linear-gradient(135deg, var(--accent) 0 1.5px,
  transparent 0 4px); border: 1px solid var(--accent); }
.key.actual, .key.target, .key.base, .key.path { height: 0; border-radius: 0;
  vertical-align: middle; }
.key.actual { border-top: 3px solid var(--accent); }
.key.path { border-top: 2px dashed var(--soft); }
.key.target, .key.base { border-top: 3px solid var(--base); }
.key.hollow { width: 10px; border-radius: 50%; border: 2px solid var(--accent); }
.notes { color: var(--soft); font-size: 13px; padding-left: 20px; margin: 0; max-width: 80ch; }
.notes li { margin-bottom: 4px; } ul.notes { margin-top: 8px; }
.quiet + table, .quiet + .charts { margin-top: 6px; }
@media (max-width: 720px) {
  main { padding: 20px 14px 40px; }
  h1 { font-size: 25px; }
  .caps { grid-template-columns: 1fr; }
  table, tbody, tr, td, tbody th { display: block; width: 100%; }
  thead { display: none; }
  tr { padding: 8px 12px; border-bottom: 1px solid var(--line); }
  th, td { padding: 2px 0; border: 0; }
  td { display: flex; justify-content: space-between; gap: 14px; text-align: right; }
  td::before { content: attr(data-label); color: var(--soft); font-size: 12.5px; text-align: left; }
  td.name { font-weight: 600; } td.name::before { content: none; }
  .matrix td { display: grid; grid-template-columns: 1fr auto; gap: 0 14px; padding: 8px 0;
    text-align: left; border-top: 1px solid var(--grid); }
  .matrix td::before { grid-column: 1 / -1; }
  .matrix .change { align-self: center; }
}
@media print {
  @page { size: A4; margin: 14mm 12mm; }
  :root { --paper: #ffffff; }
  body { font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { padding: 0; max-width: none; }
  .cards { grid-template-columns: repeat(2, 1fr); }
  .charts.four { grid-template-columns: repeat(2, 1fr); }
  table { font-size: 8.5pt; } th, td { padding: 3px 5px; }
  h2, h3, .legend { break-after: avoid; }
  h2 { margin: 16pt 0 6pt; } .cards, .caps, .charts { gap: 8pt; }
  .card { padding: 8pt 10pt 6pt; } .value b { font-size: 22pt; } .value .used { margin-top: 10pt; }
  dl { font-size: 8.5pt; } dl div { padding: 1.5pt 0; } h1 { font-size: 22pt; }
  .charts.three { grid-template-columns: repeat(3, 1fr); margin-bottom: 8pt; }
}
"""
