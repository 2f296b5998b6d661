/** Records and bytes that went in and out of partitions. */

/** Since the partition was opened, or of several of them. */
export class Traffic {
  /** Appended here as the leader: by clients and coordinators. Bytes of batches as they lie in the log. */
  appendedRecords = 0;
  appendedBytes = 0;
  /** Found for consumers. */
  fetchedBytes = 0;
  /** Copied from leaders, and found for followers. */
  followedBytes = 0;
  servedBytes = 0;

  /** Nothing is less afterwards than it is in the other one. */
  raiseTo(other: Traffic): void {
    this.appendedRecords = Math.max(this.appendedRecords, other.appendedRecords);
    this.appendedBytes = Math.max(this.appendedBytes, other.appendedBytes);
    this.fetchedBytes = Math.max(this.fetchedBytes, other.fetchedBytes);
    this.followedBytes = Math.max(this.followedBytes, other.followedBytes);
    this.servedBytes = Math.max(this.servedBytes, other.servedBytes);
  }

  add(other: Traffic): void {
    this.appendedRecords += other.appendedRecords;
    this.appendedBytes += other.appendedBytes;
    this.fetchedBytes += other.fetchedBytes;
    this.followedBytes += other.followedBytes;
    this.servedBytes += other.servedBytes;
  }
}
