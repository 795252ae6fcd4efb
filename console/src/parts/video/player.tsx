import { Anchor, Box, Group, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { VideoOptions, VideoOutput } from '../../../../src/contract/video.ts';
import { formatBytes } from '../format.ts';
import { Icon } from '../frame/icons.tsx';
import { formatClock, type Place, placeOf, type Still, stillsOf } from './moments.ts';

interface PlayerProps {
  output: VideoOutput;
  options: VideoOptions | undefined;
  name: string;
}

/** One clip at a time with the poster before it plays, all clips to choose from, and small pictures to jump to. */
export function Player({ output, options, name }: PlayerProps) {
  const { t } = useTranslation();
  const { clips, poster_url, sprite, sprite_url } = output;
  const [place, setPlace] = useState<Place>({ clip: 0, at: 0 });
  const player = useRef<HTMLVideoElement>(null);
  const jumped = useRef(false);
  const clip = clips[place.clip];
  useEffect(() => {
    const video = player.current;
    if (!video || !jumped.current) return;
    video.currentTime = place.at;
    // A browser that wants a click first leaves it standing there.
    void video.play().catch(() => undefined);
  }, [place]);
  const jump = (to: Place): void => {
    jumped.current = true;
    setPlace(to);
  };
  const length = clips.reduce((sum, { content_duration }) => sum + content_duration, 0);
  return (
    <Box className="watch">
      {/* biome-ignore lint/a11y/useMediaCaption: nobody wrote captions for these */}
      <video
        key={clip?.file_id}
        ref={player}
        src={clip?.url}
        poster={place.clip === 0 ? poster_url : undefined}
        controls
        preload="metadata"
        playsInline
        className="video"
        aria-label={t('video.clipOf', { number: place.clip + 1, name })}
      />
      {sprite && sprite_url && (
        <Group gap={4} className="stills">
          {stillsOf(sprite, length).map((still) => (
            <StillButton
              key={still.seconds}
              still={still}
              sprite={sprite}
              url={sprite_url}
              onClick={() => jump(placeOf(still.seconds, clips, options))}
            />
          ))}
        </Group>
      )}
      <ol className="clips">
        {clips.map((each, index) => (
          <li key={each.file_id} data-clip={index + 1}>
            <button
              type="button"
              className="clip"
              aria-current={index === place.clip}
              onClick={() => jump({ clip: index, at: 0 })}
            >
              <Icon name="play" size={14} />
              <Text span size="sm" fw={500}>
                {t('video.clip', { number: index + 1 })}
              </Text>
              <Text span size="xs" c="dimmed" className="tabular">
                {formatClock(each.start)}–{formatClock(each.start + each.content_duration)} · {each.width} ×{' '}
                {each.height} · {formatBytes(each.bytes)}
              </Text>
            </button>
            <Anchor
              href={each.url}
              download={`${name.replace(/\.[a-z0-9]{1,5}$/i, '')}-${index + 1}.mp4`}
              size="sm"
              aria-label={t('video.downloadClip', { number: index + 1 })}
            >
              <Icon name="download" />
            </Anchor>
          </li>
        ))}
      </ol>
    </Box>
  );
}

interface StillProps {
  still: Still;
  sprite: NonNullable<VideoOutput['sprite']>;
  url: string;
  onClick: () => void;
}

/** One picture of the sprite: its place in the image is all that differs. */
function StillButton({ still, sprite, url, onClick }: StillProps) {
  const { t } = useTranslation();
  const { width, height, columns, rows } = sprite;
  const scale = 96 / width;
  return (
    <button
      type="button"
      className="still"
      aria-label={t('video.jump', { time: formatClock(still.seconds) })}
      title={formatClock(still.seconds)}
      onClick={onClick}
      style={{
        width: width * scale,
        height: height * scale,
        backgroundImage: `url(${url})`,
        backgroundSize: `${width * columns * scale}px ${height * rows * scale}px`,
        backgroundPosition: `${-still.x * scale}px ${-still.y * scale}px`,
      }}
    />
  );
}
