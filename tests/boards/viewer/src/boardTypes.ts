// Form of a board's JSON, and of the answers that the Python side fetched for it.

import type { FieldConfigSource } from '@grafana/data';

export interface Series {
  name: string;
  tags?: Record<string, string>;
  columns: string[];
  values: Array<Array<string | number | null>>;
}

export interface Target {
  refId: string;
  query: string;
  resultFormat: 'table' | 'time_series';
  alias?: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  fieldConfig?: FieldConfigSource;
  options?: Record<string, any>;
  transformations?: Array<{ id: string; options: any }>;
  transparent?: boolean;
  timeFrom?: string;
  hideTimeOverride?: boolean;
}

export interface Board {
  uid: string;
  title: string;
  timezone: string;
  panels: Panel[];
}

export interface Answer {
  panel: number;
  startMs: number;
  endMs: number;
  series: Series[][]; // by target
}

export interface Variable {
  name: string;
  label: string;
  value: string;
  text: string;
}

export interface Page {
  board: Board;
  answers: Answer[];
  variables: Variable[];
  startMs: number;
  endMs: number;
}
