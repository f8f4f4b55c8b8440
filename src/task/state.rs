//! (being written)
pub enum TaskState {}
pub enum TaskEvent {}
pub struct IllegalEvent;
