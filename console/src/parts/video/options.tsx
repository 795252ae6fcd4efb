import { Checkbox, NumberInput, Select, SimpleGrid } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { VideoOptions } from '../../../../src/contract/video.ts';

const ASPECTS = ['16:9', '9:16', '1:1', '4:3', 'source'];
const HEIGHTS = ['1080', '720', '480', '360'];

interface OptionsProps {
  value: VideoOptions;
  onChange: (value: VideoOptions) => void;
}

/** The profile's parameters that people change; what is left as it is takes the server's default. */
export function Options({ value, onChange }: OptionsProps) {
  const { t } = useTranslation();
  const words = (name: string, options: readonly string[]) =>
    options.map((option) => ({ value: option, label: t(`video.options.${name}.${option}`, { defaultValue: option }) }));
  const choice = (name: 'mode' | 'aspect' | 'fit', options: readonly string[], fallback: string) => (
    <Select
      label={t(`video.options.${name}.label`)}
      data={words(name, options)}
      value={value[name] ?? fallback}
      allowDeselect={false}
      onChange={(chosen) => chosen && onChange({ ...value, [name]: chosen })}
    />
  );
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm">
      {choice('mode', ['split', 'trim'], 'split')}
      <NumberInput
        label={t('video.options.max_seconds.label')}
        value={value.max_seconds ?? 20}
        min={1}
        max={3600}
        onChange={(chosen) => typeof chosen === 'number' && onChange({ ...value, max_seconds: chosen })}
      />
      {choice('aspect', ASPECTS, '16:9')}
      {choice('fit', ['pad', 'crop'], 'pad')}
      <Select
        label={t('video.options.height.label')}
        data={HEIGHTS}
        value={String(value.height ?? 720)}
        allowDeselect={false}
        onChange={(chosen) => chosen && onChange({ ...value, height: Number(chosen) })}
      />
      <Select
        label={t('video.options.logo.label')}
        data={words('logo', ['both', 'start', 'end', 'none'])}
        value={value.logo?.at ?? 'both'}
        allowDeselect={false}
        onChange={(at) => at && onChange({ ...value, logo: { ...value.logo, at: at as 'both' } })}
      />
      <Checkbox
        label={t('video.options.audio.label')}
        checked={value.audio ?? true}
        mt={{ base: 0, xs: 30 }}
        onChange={(event) => onChange({ ...value, audio: event.currentTarget.checked })}
      />
    </SimpleGrid>
  );
}
