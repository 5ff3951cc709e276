// A stand-in for Grafana's bar chart, whose panel is not in @grafana/ui: bars by category, in groups or stacked.

import { type DataFrame, FieldType, formattedValueToString, getDisplayProcessor, getFieldDisplayName } from '@grafana/data';
import { useTheme2, VizLegend } from '@grafana/ui';
import { LegendDisplayMode } from '@grafana/schema';

const LEFT = 100;
const BOTTOM = 24;
const LEGEND = 34;

interface Props {
  frame: DataFrame;
  category: string;
  stacked: boolean;
  width: number;
  height: number;
}

export function BarChart(props: Props) {
  const theme = useTheme2();
  const { frame, width, stacked } = props;
  const names = frame.fields.find((field) => field.name === props.category)!;
  const numbers = frame.fields.filter((field) => field.type === FieldType.number);
  const height = props.height - LEGEND;
  const heights = stacked
    ? names.values.map((_, row) => numbers.reduce((sum, field) => sum + (field.values[row] ?? 0), 0))
    : numbers.flatMap((field) => field.values.map((value) => value ?? 0));
  const top = Math.max(...heights, 1e-9) * 1.05;
  const slot = (width - LEFT) / frame.length;
  const bar = stacked ? Math.min(slot * 0.8, 80) : Math.min((slot * 0.8) / numbers.length, 40);
  const colour = (field: (typeof numbers)[number]) =>
    theme.visualization.getColorByName(field.config.color?.fixedColor ?? 'blue');
  const y = (value: number) => 6 + (height - BOTTOM - 6) * (1 - value / top);
  const display = numbers[0].display ?? getDisplayProcessor({ field: numbers[0], theme });
  const every = Math.ceil(54 / slot);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => (share * top) / 1.05);
  return (
    <div>
      <svg width={width} height={height} style={{ display: 'block', fontSize: 12, fill: theme.colors.text.primary }}>
        {ticks.map((tick) => (
          <g key={tick}>
            <line x1={LEFT} x2={width} y1={y(tick)} y2={y(tick)} stroke={theme.colors.border.weak} />
            <text x={LEFT - 6} y={y(tick) + 4} textAnchor="end">
              {formattedValueToString(display(tick))}
            </text>
          </g>
        ))}
        {names.values.map((name, row) => (
          <g key={name}>
            {numbers.map((field, place) => {
              const value = field.values[row];
              const below = numbers.slice(0, place).reduce((sum, other) => sum + (other.values[row] ?? 0), 0);
              const from = stacked ? below : 0;
              return value == null ? null : (
                <rect
                  key={place}
                  x={LEFT + slot * (row + 0.5) + bar * (stacked ? -0.5 : place - numbers.length / 2)}
                  y={y(from + value)}
                  width={bar}
                  height={y(from) - y(from + value)}
                  fill={colour(field)}
                />
              );
            })}
            {row % every === 0 && (
              <text x={LEFT + slot * (row + 0.5)} y={height - 6} textAnchor="middle">
                {names.display ? formattedValueToString(names.display(name)) : name}
              </text>
            )}
          </g>
        ))}
      </svg>
      <VizLegend
        displayMode={LegendDisplayMode.List}
        placement="bottom"
        items={numbers
          .filter((field) => !field.config.custom?.hideFrom?.legend)
          .map((field) => ({ label: getFieldDisplayName(field, frame), color: colour(field), yAxis: 1 }))}
      />
    </div>
  );
}
