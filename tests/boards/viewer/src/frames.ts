// Answers of InfluxQL as data frames, as Grafana's InfluxDB data source makes them.

import { type DataFrame, type Field, FieldType } from '@grafana/data';
import type { Series, Target } from './boardTypes';

type Cell = string | number | null;

export function framesOf(target: Target, series: Series[]): DataFrame[] {
  const frames = target.resultFormat === 'table' ? tableFrames(series) : seriesFrames(target, series);
  return frames.map((frame) => ({ ...frame, refId: target.refId }));
}

function tableFrames(series: Series[]): DataFrame[] {
  if (series.length === 0) {
    return [];
  }
  const tags = Object.keys(series[0].tags ?? {});
  const rows = series.flatMap((one) =>
    one.values.map((row) => [row[0], ...tags.map((tag) => one.tags![tag]), ...row.slice(1)] as Cell[])
  );
  const names = ['Time', ...tags, ...series[0].columns.slice(1)];
  const fields = names.map((name, place) =>
    field(
      name,
      rows.map((row) => row[place])
    )
  );
  fields[0] = { ...fields[0], type: FieldType.time };
  return [{ name: series[0].name, fields, length: rows.length }];
}

function seriesFrames(target: Target, series: Series[]): DataFrame[] {
  return series.flatMap((one) =>
    one.columns.slice(1).map((column, place) => {
      const name = nameOf(target.alias ?? '', one, column);
      const values = one.values.map((row) => row[place + 1]);
      const time: Field = { name: 'Time', type: FieldType.time, config: {}, values: one.values.map((row) => row[0]) };
      const value = field('Value', values);
      return {
        name,
        fields: [time, { ...value, labels: one.tags, config: { displayNameFromDS: name } }],
        length: values.length,
      };
    })
  );
}

function nameOf(alias: string, one: Series, column: string): string {
  return alias
    ? alias.replace(/\$tag_(\w+)|\$col/g, (_, tag) => (tag ? (one.tags?.[tag] ?? '') : column))
    : `${one.name}.${column}`;
}

function field(name: string, values: Cell[]): Field {
  const known = values.find((value) => value !== null);
  const type = typeof known === 'number' ? FieldType.number : FieldType.string;
  return { name, type, config: {}, values };
}
