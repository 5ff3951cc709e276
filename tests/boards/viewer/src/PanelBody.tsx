// Draws one panel with Grafana's components.

import {
  type DataFrame,
  dateTime,
  EventBusSrv,
  type FieldDisplay,
  FieldType,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  type InterpolateFunction,
  renderMarkdown,
  type TimeRange,
  VizOrientation,
} from '@grafana/data';
import { BarGauge, BigValue, PanelContextProvider, TimeSeries, useTheme2, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { BarChart } from './BarChart';
import type { Answer, Panel } from './boardTypes';

interface Props {
  panel: Panel;
  frames: DataFrame[];
  answer?: Answer;
  width: number;
  height: number;
  timeZone: string;
  replaceVariables: InterpolateFunction;
}

export function PanelBody(props: Props) {
  const { panel, frames } = props;
  if (panel.type === 'text') {
    const html = renderMarkdown(props.replaceVariables(panel.options!.content));
    return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: html }} />;
  }
  if (!frames.some((frame) => frame.length > 0)) {
    return <div style={{ display: 'grid', placeItems: 'center', height: '100%' }}>{panel.fieldConfig?.defaults.noValue}</div>;
  }
  const draw = BODIES[panel.type];
  return draw ? draw(props) : <div>no drawing for {panel.type}</div>;
}

const BODIES: Record<string, (props: Props) => React.ReactElement> = {
  timeseries: (props) => <Lines {...props} />,
  stat: (props) => <Values {...props} />,
  bargauge: (props) => <Bars {...props} />,
  table: (props) => <Rows {...props} />,
  barchart: (props) => (
    <BarChart
      frame={props.frames[0]}
      category={props.panel.options!.xField}
      stacked={props.panel.options!.stacking === 'normal'}
      width={props.width}
      height={props.height}
    />
  ),
};

function Lines({ panel, frames, answer, width, height, timeZone }: Props) {
  const from = dateTime(answer!.startMs);
  const to = dateTime(answer!.endMs);
  const range: TimeRange = { from, to, raw: { from, to } };
  frames.forEach((frame, frameIndex) =>
    frame.fields.forEach((field, fieldIndex) => {
      field.state = { ...field.state, origin: { frameIndex, fieldIndex } };
    })
  );
  return (
    <PanelContextProvider value={{ eventsScope: 'x', eventBus: BUS }}>
      <TimeSeries
        frames={frames}
        structureRev={1}
        width={width}
        height={height}
        timeRange={range}
        timeZone={timeZone}
        legend={panel.options!.legend}
        options={panel.options}
      />
    </PanelContextProvider>
  );
}

const BUS = new EventBusSrv();

function displayValues({ panel, frames, timeZone, replaceVariables }: Props, theme: any): FieldDisplay[] {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig!,
    reduceOptions: panel.options!.reduceOptions,
    replaceVariables,
    theme,
    data: frames,
    timeZone,
  });
}

function Values(props: Props) {
  const theme = useTheme2();
  const { panel, width, height } = props;
  const options = panel.options!;
  return (
    <VizRepeater
      getValues={() => displayValues(props, theme)}
      getAlignmentFactors={(values: FieldDisplay[]) => getDisplayValueAlignmentFactors(values)}
      renderValue={({ value, alignmentFactors, width, height, count, orientation }: any) => (
        <BigValue
          value={value.display}
          count={count}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          alignmentFactors={alignmentFactors}
          text={options.text}
          width={width}
          height={height}
          theme={theme}
          disableWideLayout={!options.wideLayout}
        />
      )}
      width={width}
      height={height}
      source={props.frames}
      itemSpacing={3}
      renderCounter={1}
      autoGrid={true}
      orientation={options.orientation as VizOrientation}
    />
  );
}

function Bars(props: Props) {
  const theme = useTheme2();
  const { panel, width, height } = props;
  const options = panel.options!;
  return (
    <VizRepeater
      getValues={() => displayValues(props, theme)}
      getAlignmentFactors={(values: FieldDisplay[]) => getDisplayValueAlignmentFactors(values)}
      renderValue={({ value, alignmentFactors, width, height, orientation, count }: any) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          width={width}
          height={height}
          orientation={orientation}
          itemSpacing={8}
          displayMode={options.displayMode}
          alignmentFactors={count > 1 ? alignmentFactors : undefined}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          text={options.text}
          theme={theme}
        />
      )}
      width={width}
      height={height}
      source={props.frames}
      itemSpacing={8}
      renderCounter={1}
      minVizHeight={options.minVizHeight}
      minVizWidth={options.minVizWidth}
      maxVizHeight={options.maxVizHeight}
      orientation={options.orientation as VizOrientation}
    />
  );
}

function Rows({ panel, frames, width, height }: Props) {
  const frame = frames.find((one) => one.fields.some((field) => field.type !== FieldType.time)) ?? frames[0];
  return (
    <TableNG
      data={frame}
      width={width}
      height={height}
      noHeader={!panel.options!.showHeader}
      cellHeight={panel.options!.cellHeight}
      enableVirtualization={false}
      structureRev={1}
      fieldConfig={panel.fieldConfig}
    />
  );
}
