import type { AddressInfo } from 'node:net';
import { isAbsolute, join } from 'node:path';
import type { FastifyListenOptions } from 'fastify';
import { chartRoutes } from '#features/charts/charts.route.ts';
import { pngDrawer } from '#features/charts/draw.ts';
import { dashboardRoutes } from '#features/dashboards/dashboards.route.ts';
import { datasetRoutes } from '#features/datasets/datasets.route.ts';
import { datasetHistoryRoutes } from '#features/datasets/history.route.ts';
import { rowRoutes } from '#features/datasets/rows/insert.route.ts';
import { endpointRoutes } from '#features/endpoints/endpoints.route.ts';
import { publishRoutes } from '#features/events/publish.route.ts';
import { topicRoutes } from '#features/events/topics.route.ts';
import { openIdentity } from '#features/identity/identity.ts';
import { observeInstallation } from '#features/instances/installation-metrics.ts';
import { instanceRoutes } from '#features/instances/instances.route.ts';
import { metricTargetRoutes } from '#features/instances/targets.route.ts';
import { deleteFile } from '#features/loading/delete-file.handler.ts';
import { endLoad } from '#features/loading/file-state.ts';
import { loadRoutes } from '#features/loading/load.route.ts';
import { startLoad } from '#features/loading/start-load.ts';
import { openQuerying, type Querying } from '#features/querying/querying.ts';
import { reportRoutes } from '#features/reports/reports.route.ts';
import { submitRoute } from '#features/tasks/submit.route.ts';
import { taskRoutes } from '#features/tasks/tasks.route.ts';
import { getTask, rerunTask, toTask } from '#features/tasks/tasks.ts';
import { fleetRoutes } from '#features/telemetry/fleet.route.ts';
import { telemetryGateway } from '#features/telemetry/gateway.ts';
import { intakeAuthorizer, intakeRoutes } from '#features/telemetry/intake.route.ts';
import { logRoutes } from '#features/telemetry/logs.route.ts';
import { metricAsker, metricRoutes } from '#features/telemetry/metrics.route.ts';
import type { TelemetryReader } from '#features/telemetry/reader.ts';
import { telemetryRelations } from '#features/telemetry/relations.ts';
import { serviceRoutes } from '#features/telemetry/services.route.ts';
import { telemetryRoutes } from '#features/telemetry/telemetry.route.ts';
import type { UploadDeps } from '#features/uploads/deps.ts';
import { fileRoutes } from '#features/uploads/files.route.ts';
import { uploadRoutes } from '#features/uploads/uploads.route.ts';
import { startVideo } from '#features/video/start-video.ts';
import { webhookRoutes } from '#features/webhooks/deliveries.route.ts';
import { systemClock } from '#kernel/clock.ts';
import { sql } from '#platform/db/db.ts';
import type { App } from '#platform/http/app.ts';
import { registerHealth } from '#platform/http/health.ts';
import { registerMetrics } from '#platform/http/metrics.ts';
import { createServer } from '#platform/http/server.ts';
import { createCatalog } from '#platform/lake/catalog.ts';
import { createEngine } from '#platform/lake/engine.ts';
import { signedObjectRoutes } from '#platform/objects/signed-routes.ts';
import { observe } from '#platform/observe/metrics/instruments.ts';
import { tracePlugin } from '#platform/observe/plugin.ts';
import { createAppender } from '#platform/stream/appender.ts';
import { createBatchWaiter } from '#platform/stream/wait.ts';
import { alertRoutes } from './alert-routes.ts';
import { mailSender, publicUrlOf } from './alerts.ts';
import { serveConsole } from './console.ts';
import { openForms } from './forms.ts';
import { serveReference } from './reference.ts';
import type { Platform, RoleStart } from './role.ts';
import { poolLimits, reportTools, rewriteTools } from './tasks.ts';

const CONSOLE = join(import.meta.dirname, '../../console/dist');
/** Two looks of a load balancer that asks every second. */
const NOTICE_MS = 2_000;

export const startApi: RoleStart = async (platform) => {
  const { config, log, objects } = platform;
  const { app, querying, streams, forms } = await gateway(platform);
  const health = registerHealth(app, [
    { name: 'database', check: () => sql`SELECT 1`.execute(platform.database.db) },
    { name: 'objects', check: () => objects.list('health/')[Symbol.asyncIterator]().next() },
  ]);
  registerMetrics(app, platform.scrape);
  const unobserve = observeGateway(platform, querying);
  // Several gateways of one supervisor share the port; the kernel spreads connections over them.
  const where: FastifyListenOptions & { reusePort: boolean } = {
    host: config.host,
    port: config.port,
    reusePort: config.apiInstances > 1,
  };
  await app.listen(where);
  const { address, port } = app.server.address() as AddressInfo;
  log.info({ address, port }, 'api: listening');
  return {
    name: 'api',
    address: `${address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address}:${port}`,
    load: () => ({ ...querying.load() }),
    async drain() {
      health.drain();
      if (config.environment !== 'dev') await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
    },
    async stop() {
      unobserve();
      await app.close();
      await streams.close();
      await forms.close();
      await querying.close();
    },
  };
};

interface Gateway {
  app: App;
  querying: Querying;
  streams: ReturnType<typeof openStreams>;
  forms: Awaited<ReturnType<typeof openForms>>;
}

function observeGateway({ config, database, instance }: Platform, querying: Querying): () => void {
  const ends = [
    observeInstallation({
      db: database.db,
      instance,
      limits: poolLimits(config),
    }),
    observe(['caudal.cache.requests', 'caudal.cache.bytes', 'caudal.sql.busy', 'caudal.sql.queued'], () => {
      const { cache_hits, cache_misses, cache_bytes, sql_busy, sql_queued } = querying.load();
      return {
        'caudal.cache.requests': [
          { value: cache_hits, attributes: { 'caudal.outcome': 'hit' } },
          { value: cache_misses, attributes: { 'caudal.outcome': 'miss' } },
        ],
        'caudal.cache.bytes': cache_bytes,
        'caudal.sql.busy': sql_busy,
        'caudal.sql.queued': sql_queued,
      };
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** Every room's routes on one gateway; the table of rooms is this function. */
async function gateway(platform: Platform): Promise<Gateway> {
  const { config, database, log, objects } = platform;
  const { db, pool } = database;
  const publicUrl = publicUrlOf(platform);
  const sendMail = mailSender(platform);
  const identity = await openIdentity({ db, pool, clock: systemClock, publicUrl, sendMail });
  const app = await createServer({
    log,
    db,
    version: platform.version,
    instance: platform.instance,
    limits: { workspace: config.rateLimitWorkspace, anonymous: config.rateLimitAnonymous },
    authenticate: identity.authenticate,
    trace: tracePlugin,
    trustedProxies: config.trustedProxies,
  });
  identity.routes(app);
  alertRoutes(platform)(app);
  const streams = openStreams(platform);
  const uploads = uploadDeps(platform);
  await app.register(signedObjectRoutes(objects));
  await app.register(uploadRoutes(uploads));
  await app.register(fileRoutes(uploads));
  await app.register(taskRoutes({ ...platform, db, boss: platform.queue.boss, ended: { load: endLoad } }));
  const starting = { db, enqueue: platform.enqueue, allowPrivate: config.fetchAllowPrivate };
  await app.register(
    submitRoute({
      db,
      startVideo: (request) => startVideo(starting, request),
      startLoad: (request) => startLoad(starting, request),
    }),
  );
  datasetRoutes({ db })(app);
  datasetHistoryRoutes({ db, objects, engine: streams.engine })(app);
  const forms = await openForms(platform);
  await app.register(forms.routes);
  const taking = { ...streams, max_bytes: config.eventMaxBytes, photos: forms.rowPhotos };
  await app.register(rowRoutes({ db, ...taking }));
  loadRoutes(uploads)(app);
  await app.register(publishRoutes({ db, ...streams, max_bytes: config.eventMaxBytes }));
  topicRoutes({ db, objects, enqueue: platform.enqueue, describeTask: uploads.describeTask })(app);
  webhookRoutes({ db })(app);
  await app.register(metricTargetRoutes({ db }));
  await app.register(instanceRoutes({ db, limits: poolLimits(config) }));
  const telemetry = telemetryGateway({ db, internalSecret: platform.internalSecret });
  const authorizeIntake = intakeAuthorizer(platform.internalSecret);
  await app.register(intakeRoutes({ intake: telemetry, authorizeIntake }));
  await app.register(telemetryRoutes({ reader: telemetry }));
  await app.register(logRoutes({ reader: telemetry }));
  await app.register(metricRoutes({ reader: telemetry }));
  await app.register(serviceRoutes({ reader: telemetry }));
  dashboardRoutes({ db, ask: metricAsker(telemetry) })(app);
  const rerun = (workspaceId: string, taskId: string, userId: string) =>
    rerunTask(db, platform.enqueue, workspaceId, taskId, userId);
  await app.register(fleetRoutes({ db, reader: telemetry, rerun }));
  const querying = await openQueries(platform, telemetry);
  await app.register(async (routes) => querying.routes(routes as App));
  endpointRoutes({ db, sql: querying.sql })(app);
  chartRoutes({
    ...{ engine: querying.engine, cache: querying.cache, objects },
    snapshot: createCatalog(db, { pool }).snapshot,
    drawPng: pngDrawer(platform.tempDir),
  })(app);
  reportRoutes({
    ...reportTools(platform),
    enqueue: platform.enqueue,
    describeTask: uploads.describeTask,
  })(app);
  await serveReference(app);
  await serveConsole(app, isAbsolute(CONSOLE) ? CONSOLE : join(process.cwd(), CONSOLE));
  return { app, querying, streams, forms };
}

/** Opens a list of sources that became an object; nothing of it is there before the first. */
const LISTS = { memory_limit: '256MB', threads: 1, slots: 1 };

/** How batches get into streams, and how a request hears that they have arrived. */
function openStreams({ database, listener }: Platform) {
  const appender = createAppender({ pool: database.pool });
  const waiter = createBatchWaiter(database.db, listener);
  const engine = createEngine(LISTS);
  return {
    ...{ appender, waiter, engine },
    async close() {
      waiter.close();
      await Promise.all([appender.close(), engine.close()]);
    },
  };
}

function openQueries(platform: Platform, reader: TelemetryReader): Promise<Querying> {
  const { config, log, objects } = platform;
  const { db } = platform.database;
  const telemetry = telemetryRelations({ db, objects, reader });
  return openQuerying({
    db,
    objects,
    log,
    snapshot: createCatalog(db, { pool: platform.database.pool }).snapshot,
    extraRelations: async (principal, schema, names) => (schema === 'telemetry' ? telemetry(principal, names) : []),
    tempDir: platform.tempDir,
    settings: {
      sql_timeout_ms: config.sqlTimeout,
      sql_memory_bytes: config.sqlMemory,
      sql_max_rows: config.sqlMaxRows,
      sql_slots: config.sqlSlots,
      cache_bytes: config.cacheBytes,
    },
  });
}

function uploadDeps(platform: Platform): UploadDeps {
  const { config, objects, enqueue } = platform;
  const { db } = platform.database;
  return {
    db,
    store: objects,
    enqueue,
    describeTask: async (workspaceId, taskId) => toTask(await getTask(db, workspaceId, taskId)),
    removeStored: (request) => deleteFile(rewriteTools(platform), request),
    settings: {
      max_bytes: config.uploadMaxBytes,
      retention_ms: config.uploadRetention,
      url_lifetime_ms: config.signedUrlLifetime,
    },
    clock: systemClock,
  };
}
