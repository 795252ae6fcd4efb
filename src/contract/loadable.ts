/**
 * Kinds of files that hold no table. A deny list, not an allow list: tables come under any name
 * (`airports.dat`, `export`, `data.2024`), and the reader decides by content anyway.
 * What a person takes for a table although it cannot be read (.xls, .ods) is loadable: the load says why not.
 */
const NO_TABLE_EXTENSIONS = new Set(
  [
    'jpg jpeg png gif webp avif bmp tif tiff heic heif svg ico psd raw cr2 nef dng',
    'mp4 m4v mov mkv webm avi mpg mpeg ts mts m2ts flv wmv 3gp ogv m3u8 mpd',
    'mp3 wav flac ogg oga opus aac m4a wma aiff',
    'pdf doc docx odt rtf ppt pptx odp key pages epub md html htm xhtml css js mjs jsx tsx',
    'tar tgz 7z rar xz exe dll so dylib bin iso dmg apk deb rpm msi jar class wasm woff woff2 ttf otf',
  ].flatMap((group) => group.split(' ')),
);
const NO_TABLE_TYPES = /^(image|video|audio|font)\/|^application\/(pdf|msword|rtf|javascript|wasm)$|^text\/(html|css)$/;
const COMPRESSED = /\.(gz|gzip|zst|zstd|bz2)$/i;

/** Whether a stored file gets a `load` task by itself: `holiday.jpg` no, `titanic.csv.gz` yes. */
export function isLoadable(filename: string, content_type?: string | null): boolean {
  const extension = extensionOf(filename);
  if (NO_TABLE_EXTENSIONS.has(extension)) return false;
  if (extension !== '' && TABLE_EXTENSIONS.has(extension)) return true;
  const type = (content_type ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return !NO_TABLE_TYPES.test(type);
}

const TABLE_EXTENSIONS = new Set(
  'csv tsv tab txt psv dat json jsonl ndjson geojson parquet pq xlsx xlsm xltx xls ods zip'.split(' '),
);

/** `Data.CSV.gz` → `csv`; an empty string when the name has none. */
export function extensionOf(filename: string): string {
  const plain = filename.replace(COMPRESSED, '');
  const match = /\.([a-z0-9]{1,10})$/i.exec(plain);
  return match?.[1]?.toLowerCase() ?? '';
}
