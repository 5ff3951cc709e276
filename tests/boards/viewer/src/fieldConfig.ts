// Transformations and field config, applied by @grafana/data as Grafana applies them.

import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  type DataFrame,
  type FieldConfigPropertyItem,
  FieldConfigOptionsRegistry,
  type GrafanaTheme2,
  type InterpolateFunction,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';
import type { Panel } from './boardTypes';

// Some ids stand twice in the list; the registry wants each once.
const transformers = new Map(Object.values(standardTransformers).map((info: any) => [info.id, info]));

standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((info: any) => ({
    id: info.id,
    name: info.name,
    aliasIds: info.aliasIds,
    transformation: () => Promise.resolve(info),
    editor: () => null,
    imageDark: '',
    imageLight: '',
  }))
);

const STANDARD = [
  ...['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'thresholds', 'mappings', 'links', 'color'],
];
const CUSTOM = [
  ...['drawStyle', 'lineInterpolation', 'lineWidth', 'fillOpacity', 'showPoints', 'pointSize', 'spanNulls'],
  ...['lineStyle', 'thresholdsStyle', 'barAlignment', 'stacking', 'cellOptions', 'width', 'minWidth', 'hidden', 'align', 'hideFrom'],
];

function item(id: string, path: string, isCustom: boolean): FieldConfigPropertyItem {
  return {
    id,
    path,
    isCustom,
    name: id,
    description: '',
    settings: {},
    editor: () => null as any,
    override: () => null as any,
    process: (value: any) => value,
    shouldApply: () => true,
  } as any;
}

const registry = new FieldConfigOptionsRegistry(() => [
  ...STANDARD.map((id) => item(id, id, false)),
  ...CUSTOM.map((id) => item(`custom.${id}`, id, true)),
]);

export async function prepared(
  panel: Panel,
  frames: DataFrame[],
  theme: GrafanaTheme2,
  timeZone: string,
  replaceVariables: InterpolateFunction
): Promise<DataFrame[]> {
  const context: any = { interpolate: (text: string) => replaceVariables(text) };
  const moved = await firstValueFrom(transformDataFrame(panel.transformations ?? [], frames, context));
  const shown = applyFieldOverrides({
    data: moved,
    fieldConfig: panel.fieldConfig ?? { defaults: {}, overrides: [] },
    fieldConfigRegistry: registry,
    replaceVariables,
    theme,
    timeZone,
  });
  cacheFieldDisplayNames(shown);
  return shown;
}
