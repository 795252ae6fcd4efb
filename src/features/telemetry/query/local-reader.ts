import { listMetrics, selectExemplars } from '../metrics/list.ts';
import { selectSeries } from '../metrics/select.ts';
import type { TelemetryReader } from '../reader.ts';
import type { TelemetryStore } from '../store/store.ts';
import { readFleet } from './fleet.ts';
import { readLogFacets, readLogHistogram, readLogPatterns } from './log-shape.ts';
import { searchLogs } from './logs.ts';
import { readOperations, readServices } from './services.ts';
import { readReports, readTouched } from './touched.ts';
import { readTrace } from './trace.ts';
import { searchTraces } from './traces.ts';

/** The reader of the process that holds the store. */
export function localReader(store: TelemetryStore): TelemetryReader {
  return {
    trace: (visible, traceId, range) => readTrace(store, visible, traceId, range),
    traces: (visible, search) => searchTraces(store, visible, search),
    logs: (visible, search) => searchLogs(store, visible, search),
    logFacets: (visible, filter) => readLogFacets(store, visible, filter),
    logHistogram: (visible, filter, stepMs) => readLogHistogram(store, visible, filter, stepMs),
    logPatterns: (visible, filter) => readLogPatterns(store, visible, filter),
    services: (visible, search) => readServices(store, visible, search),
    operations: (visible, search) => readOperations(store, visible, search),
    fleet: (visible, range) => readFleet(store, visible, range),
    touched: (visible, search) => readTouched(store, visible, search),
    reports: (visible, sinceNs) => readReports(store, visible, sinceNs),
    series: (visible, requests) => selectSeries(store, visible, requests),
    metrics: (visible, range) => listMetrics(store, visible, range),
    exemplars: (visible, request) => selectExemplars(store, visible, request),
    flush: () => store.flush(),
  };
}
