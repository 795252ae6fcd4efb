import { fail } from '#kernel/errors.ts';
import { isHdr } from './graph.ts';
import { chooseStreams, describeSource, type PacketTimes, type Probed, type Source } from './source.ts';
import { engineFailure, lastWords, openSource, runEngine, type Workbench } from './workbench.ts';

const ENTRIES = [
  'format=format_name,start_time,duration',
  'stream=index,codec_type,codec_name,width,height,sample_aspect_ratio,pix_fmt,color_transfer,color_primaries,color_space,field_order,r_frame_rate,nb_frames',
  'stream_disposition=attached_pic',
  'stream_side_data=rotation',
  'packet=stream_index,pts_time,duration_time',
].join(':');

/** A JSON description of more streams than anybody needs. */
const MOST_JSON = 4_000_000;
const MOST_PACKETS = 3_000_000;

/**
 * What the file is. Headers lie about durations and rates (one of the test files says 40 hours and holds a
 * second; another says nothing), so the times of all packets are read: no decoding, about the speed of the disk.
 *
 * @throws not_a_video, corrupt_file, video_too_long, video_too_many_pixels
 */
export async function probe(bench: Workbench): Promise<Source> {
  const { probed, packets } = await look(bench);
  const chosen = chooseStreams(probed, bench.limits);
  const source = describeSource(probed, chosen, packets, bench.limits);
  if (isHdr(source.video) && !bench.engine.zscale) {
    source.warnings.push('The video is HDR and this ffmpeg has no zscale: its colours are not converted.');
  }
  return source;
}

/**
 * Description and packets in one run: starting the program costs more than reading a short file. In the compact JSON each packet
 * begins a line of its own, so that they are counted as they come and only the description is kept.
 */
async function look(bench: Workbench): Promise<{ probed: Probed; packets: Map<number, PacketTimes> }> {
  let json = '';
  let count = 0;
  let inPackets = false;
  const packets = new Map<number, PacketTimes>();
  const args = ['-show_entries', ENTRIES, '-of', 'json=compact=1', ...openSource()];
  const ended = await runEngine(bench, 'ffprobe', args, (line) => {
    if (PACKETS_BEGIN.test(line)) inPackets = true;
    else if (!inPackets && json.length < MOST_JSON) json += `${line}\n`;
    else if (PACKETS_END.test(line)) inPackets = false;
    // Lines without a packet's beginning are its side data.
    const packet = inPackets ? PACKET.exec(line) : null;
    if (!packet) return;
    count += 1;
    if (count <= MOST_PACKETS) note(packets, packet);
  });
  if (ended.signal) throw engineFailure(ended, 'Looking at the video');
  if (ended.code !== 0) throw unreadable(ended.stderr);
  if (count > MOST_PACKETS) throw fail('video_too_long', `The file holds more than ${MOST_PACKETS} packets.`);
  try {
    return { probed: JSON.parse(json) as Probed, packets };
  } catch {
    throw fail('corrupt_file', 'The description of the video cannot be read.');
  }
}

const PACKETS_BEGIN = /^ {4}"packets": \[$/;
const PACKETS_END = /^ {4}\],?$/;
const PACKET = /^\s*\{ "stream_index": (\d+)(?:, "pts_time": "([-\d.]+)")?(?:, "duration_time": "([-\d.]+)")?/;

function unreadable(stderr: string): Error {
  const said = lastWords(stderr);
  if (/not on whitelist|not in allowed/i.test(stderr)) {
    return fail('not_a_video', 'The file is not in a container of videos that is processed.', {
      hint: 'MP4, MOV, MKV, WebM, AVI, MPEG-TS, FLV and 3GP are.',
    });
  }
  return fail('not_a_video', `The file cannot be read as a video (${said.split(': ').at(-1) || 'unknown format'}).`);
}

/** A packet without a time takes no part in the reckoning. */
function note(packets: Map<number, PacketTimes>, [, stream, time, length]: RegExpExecArray): void {
  if (time === undefined) return;
  const pts = Number(time);
  const times = packets.get(Number(stream)) ?? { pts: [], end: Number.NEGATIVE_INFINITY };
  times.pts.push(pts);
  times.end = Math.max(times.end, pts + (Number(length) || 0));
  packets.set(Number(stream), times);
}
