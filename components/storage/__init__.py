"""Files on S3, Google Cloud Storage and HDFS, by Arrow's file systems: read and written in place, or cached."""
