"""Monitoring, logging and alerting: would anyone know?"""
