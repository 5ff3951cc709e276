// A stand-in for Grafana's bar chart, whose panel is not in @grafana/ui: bars in groups by category.

import { type DataFrame, FieldType, formattedValueToString, getDisplayProcessor, getFieldDisplayName } from '@grafana/data';
import { useTheme2, VizLegend } from '@grafana/ui';
import { LegendDisplayMode } from '@grafana/schema';

const LEFT = 100;
const BOTTOM = 24;
const LEGEND = 34;

export function BarChart(props: { frame: DataFrame; category: string; width: number; height: number; timeZone: string }) {
  const theme = useTheme2();
  const { frame, width } = props;
  const names = frame.fields.find((field) => field.name === props.category)!;
  const numbers = frame.fields.filter((field) => field.type === FieldType.number);
  const height = props.height - LEGEND;
  const top = Math.max(...numbers.flatMap((field) => field.values.map((value) => value ?? 0)), 1e-9) * 1.05;
  const slot = (width - LEFT) / frame.length;
  const bar = Math.min((slot * 0.8) / numbers.length, 40);
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
              return value == null ? null : (
                <rect
                  key={place}
                  x={LEFT + slot * (row + 0.5) + bar * (place - numbers.length / 2)}
                  y={y(value)}
                  width={bar}
                  height={y(0) - y(value)}
                  fill={theme.visualization.getColorByName(field.config.color?.fixedColor ?? 'blue')}
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
        items={numbers.map((field) => ({
          label: getFieldDisplayName(field, frame),
          color: theme.visualization.getColorByName(field.config.color?.fixedColor ?? 'blue'),
          yAxis: 1,
        }))}
      />
    </div>
  );
}
