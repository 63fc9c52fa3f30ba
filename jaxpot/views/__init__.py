"""What a person looks at: live displays, comparisons, charts, reports."""
