import { type HttpLoad, type HttpLoadResult, httpLoad } from '../../test/support/http-load.ts';
import { answer } from './child.ts';

/** The generator as a process of its own: it must not share a turn of the loop with what it measures. */
answer<HttpLoad, HttpLoadResult>(httpLoad);
