// Draws the panels of the Grafana dashboard with Perses' charts, which come from npm: Grafana itself can't be run in the
// tests. dashboard.json is the dashboard with its variables filled in; ?prometheus= says whom to ask. States and tables are
// drawn as lines here: only their names and times are as in Grafana.
import { createTheme, ThemeProvider } from '@mui/material';
import { ChartsProvider, generateChartsTheme, SnackbarProvider } from '@perses-dev/components';
import { DatasourceStoreProvider, Panel, VariableProvider } from '@perses-dev/dashboards';
import { DataQueriesProvider, dynamicImportPluginLoader, PluginRegistry, TimeRangeProvider } from '@perses-dev/plugin-system';
import * as prometheusPlugin from '@perses-dev/prometheus-plugin';
import * as statPlugin from '@perses-dev/stat-chart-plugin';
import * as timeseriesPlugin from '@perses-dev/timeseries-chart-plugin';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import React from 'react';
import { createRoot } from 'react-dom/client';

const COLUMN = 66;
const LINE = 38;
const UNITS = {
  s: { unit: 'seconds', shortValues: true },
  bytes: { unit: 'bytes', shortValues: true },
  cps: { unit: 'counts/sec', shortValues: true },
  percentunit: { unit: 'percent-decimal' },
};
const COLORS = { green: '#2f8f46', yellow: '#d9a400', red: '#c4162a' };

const question = new URLSearchParams(location.search);
const datasource = {
  kind: 'GlobalDatasource',
  metadata: { name: 'prometheus' },
  spec: {
    default: true,
    plugin: { kind: 'PrometheusDatasource', spec: { directUrl: question.get('prometheus'), scrapeInterval: '1s' } },
  },
};
const datasourceApi = {
  getDatasource: async () => undefined,
  getGlobalDatasource: async () => datasource,
  listDatasources: async () => [],
  listGlobalDatasources: async () => [datasource],
};
const plugins = [prometheusPlugin, statPlugin, timeseriesPlugin].map((plugin) => ({
  resource: plugin.getPluginModule(),
  importPlugin: async () => plugin,
}));

function thresholds({ steps }) {
  const [first, ...others] = steps;
  return {
    defaultColor: COLORS[first.color],
    steps: others.map(({ color, value }) => ({ color: COLORS[color], value })),
  };
}

function chart(panel) {
  const { unit, custom, thresholds: limits } = panel.fieldConfig.defaults;
  const format = UNITS[unit] ?? { unit: 'decimal', shortValues: true };
  if (panel.type === 'stat') {
    return { kind: 'StatChart', spec: { calculation: 'last-number', format, thresholds: thresholds(limits), valueFontSize: 34 } };
  }
  const isStacked = custom.stacking?.mode === 'normal';
  const visual = { lineWidth: 1.25, areaOpacity: isStacked ? 0.3 : 0.05, ...(isStacked && { stack: 'all' }) };
  const legend = { position: 'bottom', mode: 'list', size: 'small' };
  return {
    kind: 'TimeSeriesChart',
    spec: { legend, visual, yAxis: { format, min: 0 }, ...(limits.steps.length > 1 && { thresholds: thresholds(limits) }) },
  };
}

function Shown({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const place = { position: 'absolute', left: x * COLUMN + 4, top: y * LINE + 4, width: w * COLUMN - 8, height: h * LINE - 8 };
  if (panel.type === 'row') {
    return <h2 style={{ ...place, margin: 0, fontSize: 19, fontWeight: 600 }}>{panel.title}</h2>;
  }
  const definitions = panel.targets.map(({ expr, legendFormat }) => ({
    kind: 'PrometheusTimeSeriesQuery',
    spec: { query: expr, seriesNameFormat: legendFormat, minStep: '2s' },
  }));
  return (
    <div style={place}>
      <DataQueriesProvider definitions={definitions} options={{ suggestedStepMs: 2000 }}>
        <Panel
          sx={{ height: '100%' }}
          panelOptions={{ showIcons: 'hover' }}
          definition={{ kind: 'Panel', spec: { display: { name: panel.title }, plugin: chart(panel) } }}
        />
      </DataQueriesProvider>
    </div>
  );
}

function Page({ dashboard }) {
  const theme = createTheme({ palette: { mode: 'light' } });
  const client = new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false, retry: 1 } } });
  const height = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * LINE;
  return (
    <ThemeProvider theme={theme}>
      <ChartsProvider chartsTheme={generateChartsTheme(theme, {})}>
        <SnackbarProvider>
          <PluginRegistry pluginLoader={dynamicImportPluginLoader(plugins)}>
            <QueryClientProvider client={client}>
              <TimeRangeProvider timeRange={{ pastDuration: question.get('past') }}>
                <VariableProvider>
                  <DatasourceStoreProvider datasourceApi={datasourceApi}>
                    <div style={{ position: 'relative', width: 24 * COLUMN, height }}>
                      {dashboard.panels.map((panel) => <Shown key={panel.id} panel={panel} />)}
                    </div>
                  </DatasourceStoreProvider>
                </VariableProvider>
              </TimeRangeProvider>
            </QueryClientProvider>
          </PluginRegistry>
        </SnackbarProvider>
      </ChartsProvider>
    </ThemeProvider>
  );
}

const dashboard = await (await fetch('dashboard.json')).json();
createRoot(document.getElementById('root')).render(<Page dashboard={dashboard} />);
