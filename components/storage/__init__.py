"""Files on S3, Google Cloud Storage and HDFS, read and written in place, or copied."""
