"""What several test files share: throwaway databases, a clock that stands still."""
