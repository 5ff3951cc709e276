// The types that a board's JSON must have: those of @grafana/schema, with literals in place of enums.
// `pictures.py` writes boards.generated.ts, which tsc checks against them.

import type { Dashboard, FieldConfigSource } from '@grafana/schema';
import type { FieldConfig as BarChartFields, Options as BarChart } from '@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen';
import type { Options as BarGauge } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig as TableFields, Options as Table } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as Text } from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type { FieldConfig as TimeSeriesFields, Options as TimeSeries } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Loose<T> = T extends string
  ? `${T}`
  : T extends number | boolean | null | undefined
    ? T
    : T extends Array<infer One>
      ? Array<Loose<One>>
      : T extends object
        ? { [K in keyof T]: Loose<T[K]> }
        : T;

type Place = { h: number; w: number; x: number; y: number };

// Mappings, overrides, targets and transformations are open forms in the schema too.
type Of<Type extends string, Options, Custom = {}> = {
  type: Type;
  id: number;
  title: string;
  description: string;
  gridPos: Place;
  transparent?: boolean;
  datasource?: { type: string; uid: string };
  targets?: Array<Record<string, unknown>>;
  transformations?: Array<{ id: string; options: unknown }>;
  maxDataPoints?: number;
  timeFrom?: string;
  timeShift?: string;
  hideTimeOverride?: boolean;
  options: Loose<Partial<Options>>;
  fieldConfig?: {
    defaults: Loose<Omit<FieldConfigSource['defaults'], 'custom' | 'mappings' | 'thresholds'>> & {
      custom?: Loose<Partial<Custom>>;
      mappings: unknown[];
      thresholds: { mode: string; steps: Array<{ color: string; value: number | null }> };
    };
    overrides: Array<{ matcher: { id: string; options: unknown }; properties: Array<{ id: string; value: unknown }> }>;
  };
};

export type CheckedPanel =
  | Of<'stat', Stat>
  | Of<'bargauge', BarGauge>
  | Of<'barchart', BarChart, BarChartFields>
  | Of<'table', Table & { footer?: unknown }, TableFields>
  | Of<'timeseries', TimeSeries, TimeSeriesFields>
  | Of<'text', Text>
  | { type: 'row'; id: number; title: string; collapsed: boolean; gridPos: Place; panels: [] };

type Checked = Omit<Dashboard, 'panels' | 'templating' | 'annotations' | 'links' | 'fiscalYearStartMonth'>;
export type CheckedBoard = Partial<Loose<Checked>> & { panels: CheckedPanel[]; templating: unknown; annotations: unknown; links: unknown[] };
