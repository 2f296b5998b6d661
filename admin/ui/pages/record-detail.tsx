/** A record as a whole. */
import { Dialog } from "../components/dialog.tsx";
import { PayloadView } from "../components/payload.tsx";
import { preview, type RecordView } from "../data/records.ts";
import { time } from "../data/format.ts";
import { path } from "../data/api.ts";
import { href } from "../router.ts";

export function RecordDetail({ record, onClose, onReproduce }: {
  record: RecordView;
  onClose: () => void;
  onReproduce: () => void;
}) {
  const { topic, partition, offset, timestamp, key, value, headers, timestampType } = record;
  const place = href(
    path(["topics", topic, "messages"], { start: "offset", at: offset, partition }),
  );
  return (
    <Dialog title={`Partition ${partition}, offset ${offset}`} onClose={onClose} isWide>
      <dl class="facts">
        <dt>Time</dt>
        <dd>
          <span class="mono">{time(timestamp)}</span>
          {timestampType === "LogAppendTime" && <span class="note">of the append</span>}
        </dd>
        {headers.map(([name, each], index) => [
          <dt key={`name ${index}`} class="mono">{name}</dt>,
          <dd key={`value ${index}`} class={each === null ? "null" : "mono"}>{preview(each)}</dd>,
        ])}
      </dl>
      <div class="stack">
        <PayloadView name="Key" payload={key} />
        <PayloadView name="Value" payload={value} />
        <div class="row">
          <button type="button" onClick={onReproduce}>Produce again…</button>
          <a class="button" href={place} onClick={onClose}>Read from here</a>
        </div>
      </div>
    </Dialog>
  );
}
