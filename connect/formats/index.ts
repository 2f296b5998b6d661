/** Formats of files, and what connectors that read and write files have in common. */
export { openBytes, streamed, transcoded } from "./byte-source.ts";
export type { ByteSource } from "./byte-source.ts";
export { Command, describeEnding } from "./command.ts";
export { COMPRESSION_SUFFIXES, compressPiece } from "./compress.ts";
export type { FileCompression } from "./compress.ts";
export { answerExpression } from "./expression.ts";
export type { Answer, AnswerExpression } from "./expression.ts";
export { FormatError } from "./format-error.ts";
export {
  call,
  describeAnswer,
  headerLines,
  HttpTrouble,
  httpUrl,
  isSignature,
  parseHeaders,
  signatureOf,
} from "./http-call.ts";
export type { HttpAnswer } from "./http-call.ts";
export { jsonText } from "./json-text.ts";
export { streamFields } from "./line-fields.ts";
export { lineRecords } from "./line-records.ts";
export { LineParser, LineReader, lineSchema, parseJson } from "./line-reader.ts";
export type { Line, LineSettings } from "./line-reader.ts";
export { parquetRows } from "./parquet-reader.ts";
export { nameTemplate, templateCheck, topicName } from "./name-template.ts";
export { PATH_PLACEHOLDERS, pathTemplate, safePart } from "./path-template.ts";
export { intentText, isTooLong, parseIntent } from "./rolling-intent.ts";
export { retriable, RollingFiles } from "./rolling.ts";
export type { RollingTarget, StagedFile, TopicPartition } from "./rolling.ts";
export {
  checkFormat,
  formatFields,
  newWriter,
  rollingFields,
  rollingSettings,
} from "./rolling-settings.ts";
export type { RollingConfig, RollingSettings } from "./rolling-settings.ts";
export { JsonLinesWriter, rowOf, TextLinesWriter } from "./writer.ts";
export type { FormatWriter } from "./writer.ts";
export { isOfShare, sharedConfigs, shareFields } from "./share.ts";
export { batchesOf, spoolRecords } from "./spool.ts";
export type { RecordSettings, Spool, SpooledFile } from "./spool.ts";
export type { Version } from "./whole-file.ts";
export { S3Bucket, s3Fields } from "./s3-bucket.ts";
export type { S3Object } from "./s3-bucket.ts";
export { stagingFolder } from "./staging.ts";
export { textOfFile, tlsFields, tlsFiles, tlsProblems } from "./tls-files.ts";
export type { TlsFiles } from "./tls-files.ts";
