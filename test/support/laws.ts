import fc from 'fast-check';

/**
 * fast-check for the laws: `make test` draws the same cases every time, so that a change alone can break it;
 * `make soak` (CAUDAL_SOAK=1) draws new ones, and prints the seed of what it finds.
 */
if (process.env['CAUDAL_SOAK'] !== '1') fc.configureGlobal({ seed: 1_914_091 });

export default fc;
