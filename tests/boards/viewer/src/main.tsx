// A page with one board: /?board=NAME&theme=dark. Its data lies beside it as data/NAME.json.

import { createTheme, type DataFrame, type InterpolateFunction, ThemeContext } from '@grafana/data';
import { GlobalStyles, PanelChrome, PortalContainer } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import type { Page, Panel } from './boardTypes';
import { prepared } from './fieldConfig';
import { framesOf } from './frames';
import { PanelBody } from './PanelBody';

const CELL = 30;
const GAP = 8;
const PADDING = 16;
/** Width below which Grafana stacks panels. */
const PHONE = 769;

const parameters = new URLSearchParams(window.location.search);
const theme = createTheme({ colors: { mode: parameters.get('theme') === 'dark' ? 'dark' : 'light' } });

function interpolation(page: Page): InterpolateFunction {
  const known = new Map(page.variables.map((one) => [one.name, one]));
  return (text, scopedVars) =>
    (text ?? '').replace(/\$\{([\w.]+)(?::(\w+))?\}|\$(\w+)/g, (whole, braced, format, plain) => {
      const [name, ...path] = (braced ?? plain).split('.');
      const variable = known.get(name);
      if (variable) {
        return format === 'text' ? variable.text : variable.value;
      }
      if (whole === '${__value.raw}') {
        // As Grafana does: the value of the cell on which the link is.
        const { field, rowIndex } = (scopedVars as any).__dataContext.value;
        return encodeURIComponent(field.values[rowIndex]);
      }
      const scoped = (scopedVars as any)?.[name]?.value;
      const value = path.reduce((at: any, key: string) => at?.[key], scoped);
      return value === undefined ? whole : String(value);
    });
}

function Board({ page }: { page: Page }) {
  const replace = interpolation(page);
  const inner = window.innerWidth - 2 * PADDING;
  const isPhone = window.innerWidth < PHONE;
  let y = 0;
  const placed = page.board.panels.map((panel) => {
    const { gridPos } = panel;
    const column = (inner + GAP) / 24;
    const place = isPhone
      ? { x: 0, y, w: inner, h: gridPos.h }
      : { x: gridPos.x * column, y: gridPos.y, w: gridPos.w * column - GAP, h: gridPos.h };
    y += gridPos.h;
    return { panel, place };
  });
  const rows = Math.max(...placed.map(({ place }) => place.y + place.h));
  return (
    <div style={{ padding: PADDING }}>
      <h2 style={{ margin: 0 }}>{page.board.title}</h2>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 16, margin: '8px 0 12px' }}>
        {page.variables.map((one) => (
          <span key={one.name} style={{ border: `1px solid ${theme.colors.border.medium}`, padding: '2px 8px' }}>
            <span style={{ color: theme.colors.text.secondary }}>{one.label}</span> {one.text}
          </span>
        ))}
      </div>
      <div style={{ position: 'relative', height: rows * (CELL + GAP) }}>
        {placed.map(({ panel, place }) => (
          <div
            key={panel.id}
            style={{ position: 'absolute', left: place.x, top: place.y * (CELL + GAP), width: place.w }}
          >
            <OnePanel page={page} panel={panel} replace={replace} width={place.w} height={place.h * (CELL + GAP) - GAP} />
          </div>
        ))}
      </div>
    </div>
  );
}

interface OneProps {
  page: Page;
  panel: Panel;
  replace: InterpolateFunction;
  width: number;
  height: number;
}

function OnePanel({ page, panel, replace, width, height }: OneProps) {
  const answer = page.answers.find((one) => one.panel === panel.id);
  const [frames, setFrames] = useState<DataFrame[]>();
  useEffect(() => {
    const raw = (panel.targets ?? []).flatMap((target, place) => framesOf(target, answer!.series[place]));
    prepared(panel, raw, theme, page.board.timezone, replace).then(setFrames);
  }, []);
  if (panel.type === 'row') {
    return <div style={{ fontSize: 16, fontWeight: 500, lineHeight: `${height}px` }}>▾ {replace(panel.title)}</div>;
  }
  return (
    <PanelChrome
      title={replace(panel.title)}
      description={panel.description}
      width={width}
      height={height}
      displayMode={panel.transparent ? 'transparent' : 'default'}
    >
      {(innerWidth, innerHeight) =>
        frames === undefined ? (
          <span />
        ) : (
          <PanelBody
            panel={panel}
            frames={frames}
            answer={answer}
            width={innerWidth}
            height={innerHeight}
            timeZone={page.board.timezone}
            replaceVariables={replace}
          />
        )
      }
    </PanelChrome>
  );
}

async function show() {
  const page: Page = await (await fetch(`data/${parameters.get('board')}.json`)).json();
  document.body.style.background = theme.colors.background.canvas;
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PortalContainer />
      <Board page={page} />
    </ThemeContext.Provider>
  );
  await document.fonts.ready;
  setTimeout(() => document.body.setAttribute('data-drawn', 'yes'), 1200);
}

show();
